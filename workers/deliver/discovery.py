"""What Home Assistant is told over MQTT so that it finds a sensor, and a picture, of the last plate of a source."""

from __future__ import annotations

from typing import Any


def sensor(prefix: str, source_id: str) -> tuple[str, dict[str, Any]]:
    """The topic under the discovery prefix, and the configuration. Everything but the plate is in its attributes."""
    topic, unique_id = f"{prefix}/{source_id}/plate", _unique_id(prefix, source_id)
    config = _common(prefix, source_id, "Last plate", unique_id) | {
        "state_topic": topic,
        "value_template": "{{ value_json.plate }}",
        "json_attributes_topic": topic,
        "icon": "mdi:car",
    }
    return f"sensor/{unique_id}/config", config


def image(prefix: str, source_id: str) -> tuple[str, dict[str, Any]]:
    """The same of its picture, which is a JPEG on a topic of its own."""
    unique_id = f"{_unique_id(prefix, source_id)}_image"
    config = _common(prefix, source_id, "Last plate, picture", unique_id) | {
        "image_topic": f"{prefix}/{source_id}/plate/image",
        "content_type": "image/jpeg",
    }
    return f"image/{unique_id}/config", config


def _common(prefix: str, source_id: str, name: str, unique_id: str) -> dict[str, Any]:
    return {
        "name": name,
        "unique_id": unique_id,
        "availability_topic": f"{prefix}/available",
        "device": {"identifiers": [f"{prefix}_{source_id}"], "name": source_id, "manufacturer": "Sightline"},
    }


def _unique_id(prefix: str, source_id: str) -> str:
    return f"{prefix}_{source_id}_plate".replace("/", "_").replace(".", "-2e")
