"""The command line: `tracelr VERB FILE`, or `python -m tracelr VERB FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tracelr import __version__
from tracelr.errors import TracelrError, Words, explain
from tracelr.schedule import Schedule

_WRITABLE = "a path that can be written"
_TARGETS = "aoti, c, cuda, hip, inductor, onnx, opencl, pt2, stablehlo, triton"


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 a verification found a difference, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="tracelr", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"tracelr {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    file_help = "a YAML file that describes a schedule"

    train = verbs.add_parser("train", help="train a small network on handwritten digits with the file's schedule")
    train.add_argument("file", type=Path, help="a YAML params file, such as examples/digits.yaml")
    train.add_argument("--out", type=Path, help="the run folder (default: runs/<name of the file>)")
    state = train.add_mutually_exclusive_group()
    state.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint in the run folder, if there is one"
    )
    state.add_argument("--restart", action="store_true", help="drop the checkpoint in the run folder and begin again")
    train.set_defaults(run=_train)

    dump = verbs.add_parser("dump", help="print the graph of a schedule")
    dump.add_argument("file", type=Path, help=file_help)
    dump.add_argument("--form", default="text", help="text, table, code, dot, mermaid, svg or json (default: text)")
    dump.add_argument("--batch", action="store_true", help="the graph over [N] steps at once")
    stage = dump.add_mutually_exclusive_group()
    stage.add_argument("--after", metavar="PASS", help="the graph after this pass; 'trace' is what torch.export gave")
    stage.add_argument("--stages", action="store_true", help="the graph as traced and after each pass, under its name")
    dump.add_argument("-o", "--output", type=Path, help="write to this file instead")
    dump.set_defaults(run=_dump)

    lower = verbs.add_parser("lower", help="print a schedule as code for a target")
    lower.add_argument("file", type=Path, help=file_help)
    lower.add_argument("--target", default="c", help=f"one of {_TARGETS} (default: c)")
    lower.add_argument("-o", "--output", type=Path, help="write to this file instead")
    lower.set_defaults(run=_lower)

    verify = verbs.add_parser("verify", help="compare targets with eager, bit for bit; exit code 1 on any difference")
    verify.add_argument("file", type=Path, help=file_help)
    verify.add_argument("--target", action="append", help=f"all, or one of {_TARGETS}; may be repeated (default: all)")
    verify.set_defaults(run=_verify)

    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except TracelrError as error:
        print(f"tracelr: error: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:  # a path that cannot be written; a NUL in a path is a ValueError
        given, fix = Words(f"{getattr(error, 'strerror', None) or error}"), "correct the path, or free it"
        where = str(getattr(error, "filename", None) or "output")
        print(f"tracelr: error: {explain(where, given, _WRITABLE, fix)}", file=sys.stderr)
        return 2


def _train(args: argparse.Namespace) -> int:
    from tracelr.job import Job
    from tracelr.train import train

    job = Job.read(args.file)
    out = args.out or Path("runs") / args.file.stem
    result = train(job, out, resume=args.resume, restart=args.restart)
    print(
        f"step {result.step}  loss {result.loss:.4f}  accuracy {result.accuracy:.4f} on held-out digits"
        f"  learning rate {result.learning_rate:.3e}"
    )
    print(f"wrote {', '.join(sorted(path.name for path in out.iterdir()))} to {out}")
    return 0


def _schedule(file: Path) -> Schedule:
    from tracelr import config

    return config.single(config.load(file), str(file))


def _dump(args: argparse.Namespace) -> int:
    from tracelr import lowering
    from tracelr.lowering import passes

    graph = lowering.trace(_schedule(args.file), args.batch)
    if args.stages:
        stages = lowering.stages(graph)
        text = "\n".join(f"==== {name}\n{lowering.dump(after, args.form).rstrip()}\n" for name, after in stages)
    else:
        text = lowering.dump(passes.run(graph, args.after), args.form)
    text = text.rstrip("\n") + "\n"
    if args.output:
        args.output.write_bytes(text.encode())
    else:
        print(text, end="")
    return 0


def _lower(args: argparse.Namespace) -> int:
    from tracelr import lowering

    artifact = lowering.lower(_schedule(args.file), args.target)
    if args.output:
        artifact.save(args.output)
    else:
        print(artifact.text.rstrip("\n"))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from tracelr import lowering

    names = args.target or ["all"]
    report = lowering.verify(_schedule(args.file), "all" if "all" in names else names)
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
