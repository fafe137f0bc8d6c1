"""From a video source to a batch of pairs; the modules are listed in the order of the data.

sources → frames → mining → schema → log → pipeline
"""
