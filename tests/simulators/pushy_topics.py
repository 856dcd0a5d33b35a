"""Who is subscribed to which Pushy topic, per app."""

from __future__ import annotations

import re

TOPIC_NAME = re.compile(r"[a-zA-Z0-9-_.]{1,100}")
ALL = "*"


class Topics:
    """Subscribers keep the order in which they came, so that pages are stable."""

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[str, None]] = {}

    def subscribe(self, token: str, topics: list[str]) -> None:
        """Add a token to each."""
        for topic in topics:
            self._by_topic.setdefault(topic, {})[token] = None

    def unsubscribe(self, token: str, topics: list[str]) -> None:
        """Remove a token from each; `*` is every topic."""
        for topic in list(self._by_topic) if ALL in topics else topics:
            subscribers = self._by_topic.get(topic, {})
            subscribers.pop(token, None)
            if not subscribers:
                self._by_topic.pop(topic, None)

    def counts(self) -> list[dict[str, object]]:
        """Every topic with its number of subscribers."""
        return [
            {"name": topic, "subscribers": len(tokens)} for topic, tokens in self._by_topic.items()
        ]

    def subscribers(self, topic: str) -> list[str]:
        """All tokens of one topic."""
        return list(self._by_topic.get(topic, ()))

    def of(self, token: str) -> list[str]:
        """The topics of one token."""
        return [topic for topic, tokens in self._by_topic.items() if token in tokens]
