"""Code of other libraries for a schedule: the short name of `tracelr.interop.convert`."""

from tracelr.interop.convert import convert as convert
