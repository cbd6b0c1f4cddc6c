"""The number types in which a schedule is evaluated."""

from tracelr.arithmetic.base import LARGE_POWER as LARGE_POWER
from tracelr.arithmetic.base import LARGEST as LARGEST
from tracelr.arithmetic.base import LAST_STEP as LAST_STEP
from tracelr.arithmetic.base import WITHOUT_FLOAT64 as WITHOUT_FLOAT64
from tracelr.arithmetic.base import Arithmetic as Arithmetic
from tracelr.arithmetic.base import Formula as Formula
from tracelr.arithmetic.base import Number as Number
from tracelr.arithmetic.base import Real as Real
from tracelr.arithmetic.base import Split as Split
from tracelr.arithmetic.base import Table as Table
from tracelr.arithmetic.base import log2_ratio as log2_ratio
from tracelr.arithmetic.floats import F32 as F32
from tracelr.arithmetic.floats import F64 as F64
from tracelr.arithmetic.floats import Float as Float
from tracelr.arithmetic.floats import arithmetic_for as arithmetic_for
from tracelr.arithmetic.floats import entered as entered
from tracelr.arithmetic.floats import forced as forced
from tracelr.arithmetic.floats import precision as precision
from tracelr.arithmetic.two_float import TWO_FLOAT as TWO_FLOAT
