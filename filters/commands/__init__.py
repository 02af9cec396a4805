"""The commands of `sipsense`, a module each: HELP, EPILOG, add_arguments and run."""
