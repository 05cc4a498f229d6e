"""Nothing but a download uses the network."""

import pkgutil
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
import sfumato.download
from download.hub_server import LocalHub
from sfumato.download import diagnostics, machine
from sfumato.download.catalogue import Catalogue
from sfumato.download.downloader import Download
from sfumato.download.fit import fit
from sfumato.download.library import Library
from sfumato.download.network import published


def test_the_guard_sees_a_socket(no_network: None) -> None:
    import sitecustomize

    with pytest.raises(RuntimeError, match="the network was used"):
        socket.create_connection(("127.0.0.1", 9))
    sitecustomize.FORBIDDEN.clear()


def test_the_guard_sees_a_socket_of_a_child(no_network: None) -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', 9))"
    child = subprocess.run([sys.executable, "-c", connect], capture_output=True, check=False)
    assert b"the network was used" in child.stderr


def test_the_machine_and_what_fits_it_are_known_without_the_network(no_network: None) -> None:
    here = machine.look()
    for model in Catalogue().models:
        network = published(model.quant)
        assert network is not None
        assert fit(network, here).sentence
    assert diagnostics.report(here, [], False)
    assert Library().found() == []


def test_a_downloaded_model_is_listed_and_verified_without_the_network(
    hub: LocalHub, download: Callable[..., Download], request: pytest.FixtureRequest
) -> None:
    done = download().run()
    assert done is not None
    request.getfixturevalue("no_network")
    library = Library()
    library.add(done)
    [installed] = library.models
    assert installed.usable
    assert library.verify(installed).usable


def test_importing_every_module_of_the_downloader_opens_no_socket_and_no_hub_client(
    no_network: None,
) -> None:
    modules = [module.name for module in pkgutil.iter_modules(sfumato.download.__path__)]
    imports = "; ".join(f"import sfumato.download.{name}" for name in modules)
    code = f"import sys; {imports}; assert 'huggingface_hub' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
