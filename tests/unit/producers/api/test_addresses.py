from __future__ import annotations

import ipaddress

import pytest

from producers.api.uploads.addresses import is_allowed, parse_address


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(parse_address(address), private=False)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.1.2.3", "64:ff9b::a01:203"]
)
def test_addresses_of_ones_own_network_are_allowed_where_the_settings_say_so(address: str) -> None:
    assert not is_allowed(parse_address(address), private=False)
    assert is_allowed(parse_address(address), private=True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"),
        *("0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "240.0.0.1", "224.0.0.1", "ff02::1", "fec0::1"),
        *("169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1", "2001:0:7f00:1::1", "64:ff9b:1::7f00:1"),
        *("198.18.0.1", "192.0.2.1", "2001:db8::1"),
    ],
)
@pytest.mark.parametrize("private", [False, True])
def test_this_machine_its_link_and_what_is_no_address_of_a_server_never_are(address: str, private: bool) -> None:
    assert not is_allowed(parse_address(address), private=private)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "192.88.99.1",
        "2002:c058:6301::",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
    ],
)
def test_metadata_services_never_are_even_where_private_networks_are(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), private=True)
