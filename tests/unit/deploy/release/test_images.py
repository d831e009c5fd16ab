"""Images are built by one command each, with their version and where they come from."""

from __future__ import annotations

from deploy.dockerfile import read_stages
from deploy.manifests.roles import compose, roles
from deploy.release.images import docker_commands, image_names
from deploy.run_steps import started_targets
from tests.manifests import ROOT


def test_every_target_that_starts_has_the_name_that_manifests_have() -> None:
    names = image_names(compose())
    assert set(names) == set(started_targets(read_stages()))
    assert set(names.values()) == {role.image for role in roles()}


def test_each_is_built_from_its_target_with_labels_and_a_tag_that_registries_take() -> None:
    targets = ["api", "writer"]
    commands = docker_commands(ROOT, targets, "0.2.1.dev3+gabc", "abc", "registry.example.org/")
    assert [command[command.index("--target") + 1] for command in commands] == targets
    for command, name in zip(commands, ("sightline-api", "sightline-writer"), strict=True):
        assert command[:2] == ["docker", "build"]
        assert command[command.index("--tag") + 1] == f"registry.example.org/{name}:0.2.1.dev3-gabc"
        assert "org.opencontainers.image.revision=abc" in command
        assert command[-1] == str(ROOT)
