"""How long a run is: from what the file says and, where it says epochs, samples or tokens, from `Units`."""

from __future__ import annotations

import math
from collections.abc import Callable

from tracelr.errors import ConfigError, Unquoted
from tracelr.interop._tools.section import Section
from tracelr.interop._tools.units import Units

Rounding = Callable[[float], int]


def units_of(s: Section) -> Units:
    """Return the units that were passed, or empty ones."""
    return s.where.units or Units()


def ask(s: Section, says: str, *options: str) -> ConfigError:
    """Return the error that the file does not say a length in steps; the caller raises it."""
    allowed = "a length in updates of the optimizer"
    fix = "add " + ", or ".join(options)
    return s.where.refuse(Unquoted(says), allowed, fix)


def updates_per_epoch(
    s: Section, says: str, batch: int | None = None, accumulation: int = 1, whole_batch: bool = False, ceil: bool = False
) -> int:
    """Return the updates of one epoch.

    `batch` is the size of a batch on one device, or with `whole_batch` on all of them. The last batch of an epoch counts;
    with `ceil` the last, shorter accumulation counts too. `says` is what the file says, for the error.
    """
    units = units_of(s)
    if units.steps_per_epoch is not None:
        return units.steps_per_epoch
    batch, accumulation = batch or units.batch_size, units.accumulation or accumulation
    devices = 1 if whole_batch else units.devices
    if units.samples_per_epoch is not None and batch is not None and devices is not None:
        batches = math.ceil(units.samples_per_epoch / (batch * devices))
        value = max(1, (-(-batches // accumulation)) if ceil else batches // accumulation)
        s.note(f"an epoch: {batches:,} batches, {value:,} updates")
        return value
    raise ask(s, says, *epoch_options(batch, whole_batch))


def epoch_options(batch: int | None, whole_batch: bool = False) -> list[str]:
    """Return the options of the command line that say how long an epoch is."""
    more = "" if batch else " --batch-size B"
    return ["--steps-per-epoch N", f"--samples N{more}" + ("" if whole_batch else " --devices D")]


def total(s: Section, epochs: float | None, says: str, batch: int | None = None, accumulation: int = 1, **more: bool) -> int:
    """Return the updates of the run: what `Units` says, or `epochs` times the updates of an epoch, rounded up."""
    units = units_of(s)
    if units.duration is not None:
        s.note(f"{units.duration:,} steps, as passed")
        return units.duration
    if epochs is None or epochs <= 0:
        raise ask(s, says, "--steps N")
    if units.steps_per_epoch is None and units.samples_per_epoch is None:
        raise ask(s, says, *epoch_options(batch, bool(more.get("whole_batch"))), "--steps N")
    each = updates_per_epoch(s, says, batch, accumulation, **more)
    value = math.ceil(epochs * each)
    s.note(f"{value:,} steps: {epochs:g} epochs of {each:,} updates")
    return value


def per_epoch(
    s: Section, epochs: float | None, says: str, batch: int | None = None, accumulation: int = 1, **more: bool
) -> int:
    """Return the updates of one epoch, also from the length of the run if that is a multiple of the epochs."""
    units = units_of(s)
    if units.steps_per_epoch is None and units.duration is not None and epochs:
        if units.duration % epochs:
            raise ask(s, f"{says}, which do not divide {units.duration} steps", "--steps-per-epoch N")
        return int(units.duration // epochs)
    return updates_per_epoch(s, says, batch, accumulation, **more)


def epochs_of(batch: object, accumulation: object, epochs: float) -> str:
    """Return what a file says about its length.

    >>> epochs_of(1, 8, 3.0)
    '3 epochs of batch 1 x 8'
    """
    many = f"{epochs:g} epoch{'s' * (epochs != 1)}"
    if batch is None:
        return many
    return f"{many} of batch {batch}" + (f" x {accumulation}" if accumulation not in (None, 1) else "")
