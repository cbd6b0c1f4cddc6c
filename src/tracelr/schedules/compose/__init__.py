"""Schedules made of schedules. The values of the children are combined before the one rounding at the end."""

from tracelr.schedules.compose.clock import Loop as Loop
from tracelr.schedules.compose.clock import Shift as Shift
from tracelr.schedules.compose.clock import Shorten as Shorten
from tracelr.schedules.compose.clock import Stretch as Stretch
from tracelr.schedules.compose.pointwise import Clamp as Clamp
from tracelr.schedules.compose.pointwise import Product as Product
from tracelr.schedules.compose.pointwise import Scale as Scale
from tracelr.schedules.compose.pointwise import Sum as Sum
from tracelr.schedules.compose.sequential import Sequential as Sequential
from tracelr.schedules.compose.warmup import cooldown as cooldown
from tracelr.schedules.compose.warmup import lift as lift
from tracelr.schedules.compose.warmup import warmup as warmup
from tracelr.schedules.compose.written import written as written
