"""What of a manifest is for its user to decide: fixed in the base, and a value of the chart in its templates.

A value of the chart is a token while manifests are built, and becomes its expression in the text of the template.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from deploy.manifests.roles import Role


class Filling(Protocol):
    """How a decision is written. `default` is what the base has, and what `values.yaml` says."""

    def of_role(self, role: Role, name: str, default: Any) -> Any: ...

    def of_all(self, path: str, default: Any) -> Any: ...

    def image(self, name: str) -> str: ...

    def replicas(self, role: Role) -> dict[str, Any]: ...

    def annotations(self) -> dict[str, Any]:
        """Of pods, which read their settings once: others make others of them."""
        ...

    def once(self, name: str) -> str:
        """The name of a job that runs once a version."""
        ...


class Fixed:
    """Of the base: as it is by default."""

    def of_role(self, role: Role, name: str, default: Any) -> Any:  # noqa: ARG002 - the protocol's signature
        return default

    def of_all(self, path: str, default: Any) -> Any:  # noqa: ARG002 - the protocol's signature
        return default

    def image(self, name: str) -> str:
        return name  # the kustomization says registry and tag

    def replicas(self, role: Role) -> dict[str, Any]:  # noqa: ARG002 - the protocol's signature
        return {}  # one at first, and then what a person or KEDA says

    def annotations(self) -> dict[str, Any]:
        return {}  # a generated ConfigMap has another name each time

    def once(self, name: str) -> str:
        return name


class Chart:
    """Of the chart; `values` gathers what was asked for."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._expressions: list[str] = []

    def of_role(self, role: Role, name: str, default: Any) -> str:
        self._put(f"roles.{role.name}.{name}", default)
        return self._token(f'(index .Values.roles "{role.name}").{name}', default)

    def of_all(self, path: str, default: Any) -> str:
        self._put(path, default)
        return self._token(f".Values.{path}", default)

    def image(self, name: str) -> str:
        self._put("images.registry", "")
        self._put("images.tag", "")
        return self._raw(
            f"{{{{ .Values.images.registry }}}}{name}:{{{{ .Values.images.tag | default .Chart.AppVersion }}}}"
        )

    def replicas(self, role: Role) -> dict[str, Any]:
        return {"replicas": self.of_role(role, "replicas", 1)}

    def annotations(self) -> dict[str, Any]:
        return {"annotations": {"checksum/settings": self._raw("{{ .Values.settings | toJson | sha256sum }}")}}

    def once(self, name: str) -> str:
        return self._raw(f"{name}-{{{{ .Release.Revision }}}}")

    def written(self, text: str) -> str:
        """A dumped manifest with its expressions. How many there are is KEDA's where it runs."""
        text = re.sub(
            r"^( *)(replicas: .*)$",
            r"\1{{- if not .Values.keda.enabled }}\n\1\2\n\1{{- end }}",
            text,
            flags=re.MULTILINE,
        )
        return re.sub(r"XVALUE(\d+)X", lambda found: self._expressions[int(found[1])], text)

    def _token(self, value: str, default: Any) -> str:
        if isinstance(default, dict | list | bool | int | float):
            return self._raw(f"{{{{ {value} | toJson }}}}")
        return self._raw(f"{{{{ {value} }}}}")

    def _raw(self, expression: str) -> str:
        self._expressions.append(expression)
        return f"XVALUE{len(self._expressions) - 1}X"

    def _put(self, path: str, default: Any) -> None:
        *parents, name = path.split(".")
        within = self.values
        for parent in parents:
            within = within.setdefault(parent, {})
        within.setdefault(name, default)
