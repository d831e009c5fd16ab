"""What receivers keep of a source goes with it: MQTT brokers retain the last plate, and a sensor for it.

The order to clear it lies in the outbox, in the transaction that ends the source: an outage of the broker loses none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from sightline.wire.events import SOURCE_ENDED, SinkKind
from storage.database.engine import insert_into
from storage.sinks.outbox import delivery_row
from storage.sinks.sinks import load_sinks
from storage.tables import Deliveries

#: Frames of a camera that was removed are still on their way, and its last passages become final: so it is done again.
_AGAIN_AFTER = timedelta(minutes=1)


def tell_source_ended(connection: sa.Connection, source_id: str, *, and_again: bool = False) -> None:
    """Have what is retained of a source cleared, now and, if it may come back, once more later."""
    now = datetime.now(UTC)
    rows = [
        delivery_row(sink.sink_id, SOURCE_ENDED, (source_id, at.isoformat()), {"source_id": source_id}, now)
        | {"next_attempt_at": at}
        for sink in load_sinks(connection)
        if sink.kind is SinkKind.MQTT and sink.collects and (not sink.sources or source_id in sink.sources)
        for at in ((now, now + _AGAIN_AFTER) if and_again else (now,))
    ]
    if rows:
        connection.execute(insert_into(connection, Deliveries).on_conflict_do_nothing(), rows)


def forget_source_ended(connection: sa.Connection, source_id: str) -> None:
    """The source is there again: what is to be cleared later stays."""
    is_of_it = Deliveries.payload["data"]["source_id"].as_string() == source_id
    connection.execute(
        sa.delete(Deliveries).where(Deliveries.topic == SOURCE_ENDED, Deliveries.next_attempt_at.is_not(None), is_of_it)
    )
