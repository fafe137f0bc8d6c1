"""The ordered, replayable log of records: the log is the dataset."""
