"""A schedule as a graph: traced, normalised, dumped, lowered to a target, and compared with eager bit for bit.

>>> from tracelr import Linear
>>> print(dump(Linear(start=0.0, end=1.0, steps=4), "text").splitlines()[0])
lr(step: i64[]) -> f32[]: Linear
"""

from tracelr.lowering.graph import Graph as Graph
from tracelr.lowering.graph import trace as trace
from tracelr.lowering.passes import stages as stages
from tracelr.lowering.printing import dump as dump
from tracelr.lowering.targets import lower as lower
from tracelr.lowering.targets import target_names as target_names
from tracelr.lowering.verification import verify as verify
