import pytest


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory):
    """A folder of its own to be in, inside an empty one."""
    folder = tmp_path_factory.mktemp("outside") / "run"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
