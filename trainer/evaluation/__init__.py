"""Scores of a pretrained model beside the same network from random initialisation."""
