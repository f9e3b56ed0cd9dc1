from ipaddress import ip_address

import pytest

from secondpass.errors import InputError
from secondpass.load.addresses import is_public, resolve

CLOSED = """127.0.0.1 127.8.9.1 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
100.127.255.254 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::1
100::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1""".split()


@pytest.mark.parametrize("address", CLOSED)
def test_addresses_that_are_not_public_are_told(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "240e::1"])
def test_public_addresses_are_told(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize("name", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_every_way_to_write_loopback_is_resolved_before_it_is_judged(name):
    assert not any(is_public(address) for address in resolve(name, 80))


@pytest.mark.parametrize("name", ["没有.invalid", "no-such-host.invalid", "a" * 70 + ".com"])
def test_a_host_that_is_not_found_is_named(name):
    with pytest.raises(InputError, match="was not found"):
        resolve(name, 80)
