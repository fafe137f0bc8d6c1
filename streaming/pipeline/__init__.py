"""From the log to batches: reader, decoder, batcher and prefetcher are `torchdata.nodes`.

`window` says in which order records are read, `plan` which records come next, `state` what a
checkpoint keeps of it, `redeal` how it moves to another number of ranks. `loader` composes all.
"""
