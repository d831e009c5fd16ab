"""Why nothing is lost: the ledger, the publisher, the hand-over between stages, the sweeper, the results."""
