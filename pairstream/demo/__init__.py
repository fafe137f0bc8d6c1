"""The demo: from video to pairs, a loss and scores on one machine, with one command."""
