"""What stands in whole files beside the rate: files they are made of, other sections, other commands, tags and defaults."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tracelr import Schedule, Units, load
from tracelr.errors import ConfigError
from tracelr.interop._tools import kinds
from tracelr.interop.load import read
from tracelr.schedules.assignment import Loaded

MM_SCHEDULE = """\
from mmengine.optim.scheduler.lr_scheduler import LinearLR, MultiStepLR
from torch.optim.sgd import SGD
train_cfg = dict(max_epochs=12)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.5, by_epoch=False, begin=0, end=11),
    dict(type=MultiStepLR, begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]
optim_wrapper = dict(optimizer=dict(type=SGD, lr=0.02, momentum=0.9))
"""
VERL_OPTIM = "_target_: verl.workers.config.FSDPOptimizerConfig\nlr: 1.0e-3\nlr_scheduler_type: cosine\n"
VERL_MEGATRON = """\
_target_: verl.workers.config.McoreOptimizerConfig
lr: 1.0e-3
lr_warmup_steps: 10
lr_warmup_init: 1.0e-4
lr_decay_steps: 110
lr_decay_style: linear
min_lr: 0.0
"""
VERL = {
    "main.yaml": """\
defaults: [{engine: dp}, {actor@actor_rollout_ref.actor: "${engine}_actor"}, {data: none}, _self_]
trainer: {total_epochs: 1, total_training_steps: 100, critic_warmup: 5}
""",
    "engine/dp.yaml": "# @package _global_\nengine: dp\n",
    "engine/meg.yaml": "# @package _global_\nengine: meg\n",
    "actor/base.yaml": "optim: {lr_warmup_steps_ratio: 0.1}\n",
    "actor/dp_actor.yaml": "defaults:\n- ../optim@optim: fsdp\n- base\n- _self_\nstrategy: fsdp\n",
    "actor/meg_actor.yaml": "defaults: [../optim@optim: meg, _self_]\nstrategy: megatron\n",
    "optim/fsdp.yaml": VERL_OPTIM,
    "optim/meg.yaml": VERL_MEGATRON,
}


class Row(NamedTuple):
    """The files, of which the first is read; the format; rates at steps; and what the file does not say."""

    files: Mapping[str, str]
    format: str
    rates: Mapping[int, float]
    units: Mapping[str, int] = {}
    settings: Mapping[str, Any] = {}


def cos(x: float) -> float:
    """Return the cosine decay from 1 to 0."""
    return (1 + math.cos(math.pi * x)) / 2


ROWS = {
    "hydra: packages, choices, a list in a list": Row(VERL, "verl", {0: 0.0, 5: 5e-4, 10: 1e-3, 55: 5e-4, 100: 0.0}),
    "hydra: an override reaches the list of another file": Row(
        {"top.yaml": "defaults: [main, override engine: meg, _self_]\n", **VERL},
        "verl",
        {0: 1e-4, 5: 5.5e-4, 10: 1e-3, 60: 5e-4, 110: 0.0},
    ),
    "hydra: the file itself stands first": Row(
        {
            "a.yaml": "defaults: [_self_, optimizer: adam]\noptimizer: {lr: 0.5}\ninterval: step\n"
            "scheduler: {_target_: torch.optim.lr_scheduler.StepLR, step_size: 10}\n",
            "optimizer/adam.yaml": "_target_: torch.optim.Adam\nlr: 0.25\n",
        },
        "hydra",
        {0: 0.25, 10: 0.025},
    ),
    "hydra: references that are relative, and with a default": Row(
        {
            "a.yaml": "low: ${.high}\nhigh: 0.5\noptimizer: {_target_: torch.optim.Adam, lr: 1.0}\n"
            "scheduler: {_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: '${oc.select:trainer.n,10}', "
            "eta_min: '${.floor}', floor: '${..low}'}\ninterval: step\n"
        },
        "hydra",
        {0: 1.0, 5: 0.75, 10: 0.5},
    ),
    "verl: a count from 1": Row(
        {
            "a.yaml": VERL_OPTIM.replace("_target", "optim:\n  _target").replace("\nlr", "\n  lr")
            + "  zero_indexed_step: false\n"
        },
        "verl",
        {0: 1e-3 * cos(0.01), 49: 5e-4, 99: 0.0},
        {"duration": 100},
    ),
    "mmengine: names of other files, update": Row(
        {
            "b/a.py": "from mmengine.config import read_base\nwith read_base():\n    from .._base_.s import *\n"
            "optim_wrapper.update(dict(optimizer=dict(lr=0.01)))\nparam_scheduler[1].update(dict(milestones=[9, 10]))\n",
            "_base_/s.py": MM_SCHEDULE,
        },
        "mmengine",
        {0: 0.005, 10: 0.01, 899: 0.01, 900: 0.001, 1000: 1e-4},
        {"steps_per_epoch": 100},
    ),
    "mmengine: numbers of the base": Row(
        {
            "b/a.py": "_base_ = '../_base_/s.py'\nn = _base_.train_cfg.max_epochs // 2\n"
            "optim_wrapper = dict(optimizer=dict(lr=1.0), paramwise_cfg=dict(decay_rate=0.9, num_layers=6))\n"
            "param_scheduler = [dict(type='MultiStepLR', milestones=[n], gamma=0.5)]\nx = {{_base_.train_cfg}}\n",
            "_base_/s.py": MM_SCHEDULE,
        },
        "mmengine",
        {0: 1.0, 59: 1.0, 60: 0.5},
        {"steps_per_epoch": 10},
    ),
    "mmdet: a quadratic warm-up, and a scheduler that does nothing": Row(
        {
            "a.py": "optim_wrapper = dict(optimizer=dict(lr=1.0))\ntrain_cfg = dict(max_epochs=30)\nclass_name = ('cat',)\n"
            "param_scheduler = [\n dict(type='mmdet.QuadraticWarmupLR', begin=0, end=5, convert_to_iter_based=True),\n"
            " dict(type='CosineAnnealingLR', eta_min=0.05, begin=5, T_max=20, end=25, convert_to_iter_based=True),\n"
            " dict(type='ConstantLR', factor=1, begin=25, end=30)]\n"
        },
        "mmengine",
        {0: 1 / 2500, 9: 0.04, 49: 1.0, 50: 1.0, 150: 0.05 + 0.95 * cos(0.5), 299: 0.05 + 0.95 * cos(199 / 200)},
        {"steps_per_epoch": 10},
    ),
    "detectron2: DeepLab's polynomial, and a tag of Python elsewhere": Row(
        {
            "a.yaml": "MODEL: {SIZES: !!python/object/apply:eval ['[1, 2]'], LOSS: !!python/tuple [1, 2]}\n"
            "SOLVER: {BASE_LR: 1.0, MAX_ITER: 1000, LR_SCHEDULER_NAME: WarmupPolyLR, WARMUP_ITERS: 100, WARMUP_FACTOR: 0.5}\n"
        },
        "detectron2",
        {0: 0.5, 50: 0.75 * 0.95**0.9, 500: 0.5**0.9, 1000: 0.0},
    ),
    "a Namespace that was written as YAML": Row(
        {"a.yaml": "!!python/object:argparse.Namespace\nlr_scheduler_type: linear\nlearning_rate: 1.0\nmax_steps: 10\n"},
        "huggingface",
        {0: 1.0, 5: 0.5},
    ),
    "shell: another command after the last flag, defaults of variables, arguments with =": Row(
        {
            "a.sh": ': "${STEPS:=10}"\nN="${N:-${STEPS}}"\n'
            'python train.py --optim_args warmup_init=False --lr_scheduler_kwargs \'{"min_lr": 0.25}\' --max_steps "$N" \\\n'
            "  --lr_scheduler_type cosine_with_min_lr --learning_rate 1.0\necho done\n"
        },
        "huggingface",
        {0: 1.0, 5: 0.625, 10: 0.25},
    ),
    "shell: options of a loop over the arguments, a part in a branch, a variable that was passed": Row(
        {
            "a.sh": "LR=1\nSTEPS=$((TOKENS / 10))\nwhile [ $# -gt 0 ]; do\n  case $1 in\n    --lr) LR=$2; shift 2;;\n"
            "    *)\n      exit 1;;\n  esac\ndone\n"
            'MORE="--lr_scheduler_type linear --out $OUT"\nif [ -n "$A" ]; then\n  MORE+=" --name $A"\nfi\n'
            'CMD="python train.py --learning_rate $LR --max_steps ${STEPS} ${MORE}"\neval $CMD\n'
        },
        "huggingface",
        {0: 0.5, 5: 0.25},
        {},
        {"LR": 0.5, "TOKENS": 100},
    ),
    "megatron: a constant rate without a length, and alternatives": Row(
        {
            "a.sh": 'A=1\nARGS=(\n  --optimizer adam\n  --lr 0.5 ${B:+--x "$B"} ${A:+--y}\n  # --lr 2\n'
            "  --lr-decay-style constant\n)\npython train.py ${ARGS[@]} ${C:+$C}\n"
        },
        "megatron",
        {0: 0.5, 9: 0.5},
    ),
    "shell: an alternative for a variable that is passed": Row(
        {"a.sh": "x --learning_rate 1 --max_steps 10 --lr_scheduler_type linear ${W:+--warmup_steps $W}\n"},
        "huggingface",
        {0: 0.0, 5: 1.0, 10: 0.0},
        settings={"W": "5"},
    ),
    "shell: flags in a variable that is not used": Row(
        {
            "a.sh": "OTHER='--warmup_steps 5 --learning_rate 9'\nMINE='--learning_rate 1'\n"
            "x $MINE --max_steps 10 --lr_scheduler_type linear\n"
        },
        "huggingface",
        {0: 1.0, 5: 0.5},
    ),
    "easylm: flags of the compiler": Row(
        {
            "a.sh": "export LIBTPU_INIT_ARGS='--xla_tpu_enable_latency_hiding_scheduler=true'\npython -m EasyLM.train "
            "--total_steps=100 --optimizer.adamw_optimizer.lr=1.0 --optimizer.adamw_optimizer.end_lr=0.0 "
            "--optimizer.adamw_optimizer.lr_warmup_steps=10 --optimizer.adamw_optimizer.lr_decay_steps=100 |& tee log\n"
        },
        "easylm",
        {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.5},
    ),
    "fairseq: the older name of a rate to stop at": Row(
        {
            "a.sh": "fairseq-train x --arch y --lr 1.0 --min-lr 1e-9 --lr-scheduler inverse_sqrt --warmup-updates 100 "
            "--warmup-init-lr 1e-7 --max-epoch 50\n"
        },
        "fairseq",
        {0: 1e-7, 100: 1.0, 400: 0.5},
    ),
    "kohya: by the network, with the default scheduler": Row(
        {"a.sh": "python train_network.py --learning_rate=0.5 --max_train_steps=1500 --network_module=networks.lora\n"},
        "kohya",
        {0: 0.5, 1000: 0.5},
    ),
    "opennmt: no decay_method": Row(
        {"a.yml": "optim: adagrad\nlearning_rate: 0.5\ntrain_steps: 100000\nvalid_steps: 10\n"},
        "opennmt",
        {0: 0.5, 49998: 0.5, 49999: 0.25, 59999: 0.125},
    ),
    "maxtext: defaults of base.yml": Row(
        {"a.yml": 'base_config: "base.yml"\nlearning_rate: 1.0\nsteps: 101\ndiloco_outer_lr: 0.3\n'},
        "maxtext",
        {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.55},
    ),
    "axolotl: a warm-up below 1": Row(
        {"a.yml": "micro_batch_size: 1\nlearning_rate: 1.0\nmax_steps: 25\nwarmup_steps: 0.1\nlr_scheduler: linear\n"},
        "axolotl",
        {0: 0.0, 1: 1 / 3, 3: 1.0, 14: 0.5},
    ),
    "litgpt: the rate under train": Row(
        {
            "a.yaml": "train: {micro_batch_size: 1, global_batch_size: 2, lr_warmup_steps: 10, epochs: 1, learning_rate: 1.0}\n"
        },
        "litgpt",
        {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.5},
        {"steps_per_epoch": 100},
    ),
    "litgpt: the length of a sequence is that of the model": Row(
        {
            "a.yaml": "model: {block_size: 4}\ndevices: 1\ntrain: {micro_batch_size: 1, global_batch_size: 1, min_lr: 0.0, "
            "lr_warmup_steps: 10, max_tokens: 400, max_seq_length: null, learning_rate: 1.0}\n"
        },
        "litgpt",
        {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.5},
    ),
    "paddleclas: both ways to write a tenth every 30 epochs": Row(
        {
            "a.yaml": "Global: {epochs: 120}\nOptimizer: {lr: {name: Piecewise, learning_rate: 0.1, decay_epochs: [30, 60, 90], "
            "values: [0.1, 0.01, 0.001, 0.0001]}}\n"
        },
        "paddleclas",
        {0: 0.1, 299: 0.1, 300: 0.01, 600: 0.001, 900: 0.0001},
        {"steps_per_epoch": 10},
    ),
    "timm: the short name of a flag": Row(
        {"a.sh": "python train.py --sched cosine --lr-base 1.0 -b 64 --epochs 10 --warmup-epochs 0 --opt sgd\n"},
        "timm",
        {0: 0.5},
        {"steps_per_epoch": 100, "devices": 2},
    ),
    "kohya: the schedule of a loss": Row(
        {"a.toml": 'lr_scheduler = "constant"\nhuber_schedule = "snr"\nunet_lr = 0.5\ntext_encoder_lr = 0.5\n'},
        "kohya",
        {0: 0.5},
    ),
    "openrlhf: PPO": Row(
        {
            "a.sh": "python -m x --micro_train_batch_size 8 --train_batch_size 128 --actor_learning_rate 1.0 "
            "--critic_learning_rate 9e-6 --lr_warmup_ratio 0.1 --max_epochs 1\n"
        },
        "openrlhf",
        {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.55, 100: 0.1},
        {"duration": 100},
    ),
    "lerobot: no scheduler": Row(
        {"a.json": '{"optimizer": {"lr": 0.5}, "scheduler": null, "steps": 9, "use_policy_training_preset": true}'},
        "lerobot",
        {0: 0.5, 9: 0.5},
    ),
    "lightning_cli: below the arguments of the model": Row(
        {
            "a.yaml": "model:\n  class_path: M\n  init_args:\n    optimizer: {class_path: SGD, init_args: {lr: 1.0}}\n"
            "    lr_scheduler: {class_path: StepLR, init_args: {step_size: 1}}\ntrainer: {max_epochs: 3}\n"
        },
        "lightning_cli",
        {9: 1.0, 10: 0.1},
        {"steps_per_epoch": 10},
    ),
    "torchtune: the discount of PPO": Row(
        {"a.yaml": "gamma: 1\nlmbda: 0.9\noptimizer: {_component_: torch.optim.AdamW, lr: 0.5}\n"}, "torchtune", {0: 0.5}
    ),
}


def write(files: Mapping[str, str], folder: Path) -> Path:
    """Write the files and return the path of the first one."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / next(iter(files))


def one(found: Loaded) -> Schedule:
    """Return the schedule of the rate."""
    return found if isinstance(found, Schedule) else next(each.schedule for each in found if each.key == "lr")


@pytest.mark.parametrize("name", ROWS)
def test_a_whole_file_gives_the_rates_of_its_framework(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    path = write(row.files, tmp_path)
    found = read(kinds.read(path, row.settings), str(path), Units(**row.units))
    assert found.format == row.format
    schedule = one(found.schedule)
    values = {step: float(schedule(step)) for step in row.rates}
    assert values == pytest.approx(dict(row.rates), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "updates"),
    [
        ("sched: cosine\nlr: 1.0\nepochs: 3\nbatch_size: 8\ngrad_accum_steps: 4\nwarmup_epochs: 1\n", 7),
        ("TRAIN: {BASE_LR: 1.0, EPOCHS: 3, WARMUP_EPOCHS: 1, ACCUMULATION_STEPS: 4}\nDATA: {BATCH_SIZE: 8}\n", 6),
        (
            "trainer: {max_epochs: 3, accumulate_grad_batches: 4}\noptimizer: {class_path: AdamW, init_args: {lr: 1.0}}\n"
            "lr_scheduler: {class_path: StepLR, init_args: {step_size: 1}}\n",
            7,
        ),
        (
            "trainer: {max_epochs: 3, accumulate_grad_batches: 4}\noptimizer: {_target_: torch.optim.AdamW, lr: 1.0}\n"
            "scheduler: {_target_: torch.optim.lr_scheduler.StepLR, step_size: 1}\ninterval: epoch\n",
            7,
        ),
        ("Global: {epochs: 3, update_freq: 4}\nOptimizer: {lr: {name: Cosine, learning_rate: 1.0, warmup_epoch: 1}}\n", 6),
        (
            "max_epoch: 3\naccum_grad: 4\noptim: adam\noptim_conf: {lr: 1.0}\nscheduler: steplr\n"
            "scheduler_conf: {step_size: 1}\n",
            6,
        ),
    ],
)
def test_an_epoch_has_fewer_updates_where_batches_are_accumulated(text: str, updates: int, tmp_path: Path) -> None:
    path = write({"a.yaml": text}, tmp_path)
    counted = load(path, Units(samples_per_epoch=400, batch_size=8, devices=2))  # 25 batches
    assert counted == load(path, Units(steps_per_epoch=updates, batch_size=8, devices=2))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.py": "optim_wrapper = dict(optimizer=dict(lr=1), accumulative_counts=2)\n"}, "MMEngine counts iterations"),
        ({"a.json": '{"train_batch_size": "auto", "zero_optimization": {"stage": 3}}'}, "DeepSpeed without a scheduler"),
        ({"a.py": "from ..common.optim import SGD as optimizer\noptimizer.lr = 0.01\n"}, "imports its settings"),
        (
            {"a.py": "from mmengine.config import read_base\nwith read_base():\n    from .s import *\n"},
            "line 3, column 1: given an import of s.py",
        ),
        ({"a.sh": "x --train-iters 9 --lr 1 --min-lr 0 --rampup-batch-size 1 1 9\n"}, "--set rampup-batch-size=null"),
        (
            {"a.sh": "x --learning_rate 1 --lr_scheduler_type cosine\nx --learning_rate 2 --lr_scheduler_type cosine\n"},
            "several values (pass --set learning_rate=VALUE): '1', '2'",
        ),
        (
            {
                "a.sh": "x --learning_rate 1 --network_module n --optimizer_type AdaFactor --optimizer_args scale_parameter=False"
            },
            "relative_step=False",
        ),
        (
            {"a.yaml": "optim: {lr: 1, lr_warmup_steps: 0, lr_warmup_steps_ratio: 0.1, lr_scheduler_type: cosine}\n"},
            "releases differ",
        ),
        (
            {"a.py": "lr = 1\nnum_epochs = 3\nbatch_size = 4\nschedule = dict(decay_type='cosine', warmup_steps=1)\n"},
            "given 3 epochs of batch 4",
        ),
        (
            {"a.sh": "LR=1\nfor LR in 1 2; do\n  x --learning_rate $LR --lr_scheduler_type constant\ndone\n"},
            "learning_rate: given $LR, which the script does not set (pass --set LR=VALUE)",
        ),
        (
            {"a.sh": 'N=$(cat n)\nA="--max_steps $N --learning_rate 1"\nx $A --lr_scheduler_type linear\n'},
            "max_steps: given $N, which the script does not set (pass --set N=VALUE)",
        ),
        (
            {
                "a.sh": "A='--learning_rate 1 --max_steps 9'\nif x; then\n  A+=' --learning_rate 2'\nfi\n"
                "x $A --lr_scheduler_type linear\n"
            },
            "several values (pass --set learning_rate=VALUE)",
        ),
        (
            {"a.sh": "python -m maxtext base.yml steps=$STEPS learning_rate=1 warmup_steps_fraction=0.1 X=$Y LR=2\n"},
            "steps: given $STEPS, which the script does not set (pass --set STEPS=VALUE)",
        ),
        (
            {
                "a.sh": "W=$(cat w)\n"
                'CMD="python maxtext.py base.yml steps=100 learning_rate=1 warmup_steps_fraction=\\"\\${W}\\" out=$O"\n'
                'ssh x "$CMD"\n'
            },
            "warmup_steps_fraction: given $W, which the script does not set (pass --set W=VALUE)",
        ),
        (
            {"a.yaml": "optimizer: {learning_rate: 1}\ntraining: {lr_scheduler: {name: cosine}}\n"},
            "training: given the key 'lr_scheduler'",
        ),
        (
            {
                "a.yaml": "optimizer: {_target_: torch.optim.Adam, lr: '${oc.env:LR,1e-3}'}\ninterval: step\n"
                "scheduler: {_target_: torch.optim.lr_scheduler.StepLR, step_size: 10}\n"
            },
            "--set optimizer.lr=VALUE",
        ),
        ({"a.sh": "x --lr 1 --lr-decay-style cosine --lr-warmup-fraction 0.1\n"}, "no train_iters"),
        (
            {
                "a.sh": "x --lr 1 --optimizer adam --lr-decay-style constant --weight-decay-incr-style linear "
                "--start-weight-decay 0.1 --end-weight-decay 0.2\n"
            },
            "no train_iters",
        ),
        ({"a.yaml": "optimizer: {_component_: torch.optim.AdamW, lr: 1}\ngamma: 0.7\nstep_size: 3\n"}, "the key 'gamma'"),
        ({"a.yaml": "optimizer: {learning_rate: 0.1, optimizer_type: sgd}\ngamma: 0.7\n"}, "the key 'gamma'"),
        ({"a.toml": "gamma = 0.7\n[optimizer]\nlr = 1\n[training]\nsteps = 9\n[job]\n"}, "the key 'gamma'"),
        (
            {"a.yaml": "model: {lora_r: 8}\nsft: {_target_: trl.SFTConfig, learning_rate: 1, lr_scheduler_type: linear}\n"},
            "given settings of huggingface under 'sft'",
        ),
        (
            {"a.yaml": "optim: {_target_: verl.workers.config.VeOmniOptimizerConfig, lr: 1, lr_scheduler_type: cosine}\n"},
            "optim._target_: given 'verl.workers.config.VeOmniOptimizerConfig'",
        ),
    ],
)
def test_a_whole_file_that_does_not_say_its_rate_is_refused_clearly(
    files: Mapping[str, str], says: str, tmp_path: Path
) -> None:
    path = write(files, tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert says in str(caught.value)
