"""Only what MLflow made is removed: an empty folder whose name is that of the address."""

from naics_embed.sqlite_address import sqlite_address
from tasks.engine.quoted_folder import discard_quoted_folder


def test_an_empty_folder_goes_and_a_used_one_stays(tmp_path):
    root = tmp_path / 'why?' / 'runs'
    root.mkdir(parents=True)
    uri = sqlite_address(root / 'mlflow.db')
    made = tmp_path / 'why%3F' / 'runs'
    made.mkdir(parents=True)
    discard_quoted_folder(uri)
    assert [path.name for path in tmp_path.iterdir()] == ['why?']
    made.mkdir(parents=True)
    (made / 'mine').touch()
    discard_quoted_folder(uri)
    assert (made / 'mine').is_file()
    discard_quoted_folder(sqlite_address(tmp_path / 'plain' / 'mlflow.db'))
    discard_quoted_folder('http://127.0.0.1:5000')
    assert root.is_dir()
