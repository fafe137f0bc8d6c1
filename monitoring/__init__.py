"""What a run tells of itself: the mining funnel and the journal of events."""
