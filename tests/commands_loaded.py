"""What the server of forks has imported before any command runs: all of the command line."""

from deploy.cli import command_line

command_line()
