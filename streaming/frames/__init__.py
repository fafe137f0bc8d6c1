"""From a source to sampled frames: decoding, sampling by time, and the quality of a picture."""
