from __future__ import annotations

from pathlib import Path

import pytest

from sightline.errors import SettingsError
from sightline.settings import PREFIX, Settings, load_settings


def test_defaults_need_nothing() -> None:
    assert load_settings().redis_url == "redis://127.0.0.1:6379/0"


def test_an_unknown_name_is_refused_with_the_nearest_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_MAX_BATCHSIZE", "4")
    with pytest.raises(SettingsError, match="did you mean SIGHTLINE_MAX_BATCH_SIZE"):
        load_settings()


def test_a_wrong_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_MAX_BATCH_SIZE", "0")
    with pytest.raises(SettingsError, match=r"SIGHTLINE_MAX_BATCH_SIZE: .*greater than or equal to 1 \(got '0'\)"):
        load_settings()


def test_the_ecosystem_names_count_and_ours_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://other/1")
    assert load_settings().redis_url == "redis://other/1"
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", "redis://ours/2")
    assert load_settings().redis_url == "redis://ours/2"
    assert load_settings(redis_url="redis://argument/3").redis_url == "redis://argument/3"


def test_run_env_fills_in_what_the_environment_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.env").write_text("SIGHTLINE_REDIS_URL=redis://up/0\nSIGHTLINE_API_URL=http://127.0.0.1:9\n")
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SIGHTLINE_API_URL", "http://127.0.0.1:10")
    settings = load_settings()
    assert (settings.redis_url, settings.api_url) == ("redis://up/0", "http://127.0.0.1:10")


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "sl_secret")
    assert "sl_secret" not in repr(load_settings())


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert PREFIX == "SIGHTLINE_"


@pytest.mark.parametrize("url", ["http://elsewhere:8080", "http://127.0.0.1:9999"])
def test_the_key_of_this_machine_goes_to_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whoever asks another API by its address must name its key as well."""
    (tmp_path / "run.env").write_text("SIGHTLINE_API_URL=http://127.0.0.1:8080\nSIGHTLINE_API_KEY=sl_local\n")
    assert load_settings(data_dir=tmp_path).api_key.get_secret_value() == "sl_local"
    assert load_settings(data_dir=tmp_path, api_url="http://127.0.0.1:8080/").api_key.get_secret_value() == "sl_local"
    assert load_settings(data_dir=tmp_path, api_url=url).api_key.get_secret_value() == ""
    assert load_settings(data_dir=tmp_path, api_url=url, api_key="sl_its").api_key.get_secret_value() == "sl_its"
    monkeypatch.setenv("SIGHTLINE_API_URL", url)
    assert load_settings(data_dir=tmp_path).api_key.get_secret_value() == ""
    monkeypatch.setenv("SIGHTLINE_API_KEY", "sl_its")
    assert load_settings(data_dir=tmp_path).api_key.get_secret_value() == "sl_its"
