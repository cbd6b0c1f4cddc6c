"""Schedules made of schedules. Children are combined as wide numbers, before the one rounding at the end."""

from tracelr.compose.around import cooldown as cooldown
from tracelr.compose.around import lift as lift
from tracelr.compose.around import warmup as warmup
from tracelr.compose.clock import Loop as Loop
from tracelr.compose.clock import Shift as Shift
from tracelr.compose.clock import Shorten as Shorten
from tracelr.compose.clock import Stretch as Stretch
from tracelr.compose.pointwise import Clamp as Clamp
from tracelr.compose.pointwise import Product as Product
from tracelr.compose.pointwise import Scale as Scale
from tracelr.compose.pointwise import Sum as Sum
from tracelr.compose.sequential import Sequential as Sequential
