"""Free ports: nobody's now, and nobody else's in this process."""

from deploy.local.ports import free_port, free_ports


def test_a_port_is_given_once() -> None:
    given = [*free_ports(50), *(free_port() for _ in range(50)), *free_ports(50)]

    assert len(set(given)) == 150
