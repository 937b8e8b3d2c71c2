"""The worker: turns the event log into decisions, one actor a shopper."""
