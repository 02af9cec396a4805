"""`sipsense completion`: prints the completion for a shell."""

import argparse
from importlib.resources import files

HELP = "print the completion script for a shell"
EPILOG = """\
examples:
  sipsense completion bash > ~/.local/share/bash-completion/completions/sipsense
  sipsense completion zsh > ~/.zfunc/_sipsense
"""
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> int:
    """Print the script, which `make generate` made from the same parser as the help."""
    print((files("filters") / "completions" / f"sipsense.{args.shell}").read_text("utf-8"), end="")
    return 0
