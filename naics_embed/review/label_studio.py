"""Label Studio: tasks with predictions and annotations, and its labelling configuration.

Codes are a taxonomy, from the sector down, as Label Studio's ``Taxonomy`` tag writes them:
``{"taxonomy": [["44", "445", "4451", "44511", "445110"]]}``; what is said instead of a code is a
choice of the ``Choices`` tag.
"""

import hashlib
import json
from typing import Any
from xml.sax.saxutils import quoteattr

from sqlalchemy import Connection, select

from naics_embed.errors import UserError
from naics_embed.review.batches import Batch
from naics_embed.review.codes import CodeBook
from naics_embed.review.export import standing_decisions
from naics_embed.review.resolution import (
    AUTOMATIC,
    CODE,
    NOT_BUSINESS,
    UNREADABLE,
    VAGUE,
)
from naics_embed.review.tables import items, suggestions

CODE_TAG, OTHER_TAG, TEXT_TAG = 'code', 'other', 'text'
ITEM, BATCH = 'naics_item', 'naics_batch'
"""Keys of the data of a task by which its annotations find their item again."""
CHOICES = {VAGUE: 'Too vague', NOT_BUSINESS: 'Not a business'}


def tasks(connection: Connection, batch: Batch) -> list[dict[str, Any]]:
    """Return the items for people as tasks of Label Studio.

    Args:
        connection: that reads.
        batch: the batch.

    Returns:
        A task an item, with the first suggestion as its prediction and a decision that stands of
        each reviewer as an annotation, ready for *Import* in Label Studio.
    """
    book = CodeBook.read(connection, batch.bundle)
    made = standing_decisions(connection, batch)
    query = (
        select(items, suggestions.c.code.label('suggestion'))
        .outerjoin(suggestions, (suggestions.c.item_id == items.c.id) & (suggestions.c.rank == 1))
        .where(items.c.batch_id == batch.id, items.c.kind.not_in((AUTOMATIC, UNREADABLE)))
        .order_by(items.c.position)
    )
    found = []
    for row in connection.execute(query):
        data = {TEXT_TAG: row.text, ITEM: row.id, BATCH: batch.name, 'row': row.row}
        predictions = []
        if row.suggestion is not None:
            result = [_result(book, row.id, CODE, row.suggestion)]
            predictions.append(
                {'model_version': batch.bundle, 'score': row.probability, 'result': result}
            )
        annotations = [
            {
                'completed_by': {'email': one['user']},
                'created_at': one['at'],
                'result': [_result(book, row.id, one['action'], one['code'])],
            }
            for one in made[row.id]
        ]
        found.append(
            {
                'data': data | {f'shown_{name}': value for name, value in row.shown.items()},
                'predictions': predictions,
                'annotations': annotations,
            }
        )
    return found


def labelling_configuration(connection: Connection, batch: Batch) -> str:
    """Return the XML of a project for the tasks: the text, the tree of codes, and the choices."""
    book = CodeBook.read(connection, batch.bundle)

    def choices(parent: str | None, indent: int) -> list[str]:
        lines = []
        for entry in book.children(parent):
            shown = quoteattr(f'{entry["official"]} {entry["title"]}')
            start = f'{"  " * indent}<Choice value={shown} alias={quoteattr(entry["code"])}'
            if entry['children']:
                lines += [f'{start}>', *choices(entry['code'], indent + 1)]
                lines.append(f'{"  " * indent}</Choice>')
            else:
                lines.append(f'{start}/>')
        return lines

    others = [f'    <Choice value={quoteattr(shown)}/>' for shown in CHOICES.values()]
    return '\n'.join(
        [
            '<View>',
            f'  <Text name="{TEXT_TAG}" value="${TEXT_TAG}"/>',
            f'  <Taxonomy name="{CODE_TAG}" toName="{TEXT_TAG}" leafsOnly="true" maxUsages="1">',
            *choices(None, 2),
            '  </Taxonomy>',
            f'  <Choices name="{OTHER_TAG}" toName="{TEXT_TAG}" choice="single-radio">',
            *others,
            '  </Choices>',
            '</View>',
            '',
        ]
    )


def annotations_of(content: str, source: object) -> list[dict[str, Any]]:
    """Return the annotations of an export of Label Studio (JSON), those that were cancelled not.

    Args:
        content: the file.
        source: what errors name.

    Returns:
        For each annotation ``item``, ``action``, ``code``, ``user`` and ``key``.

    Raises:
        UserError: it is no export of tasks that `tasks` has made.
    """
    try:
        read = json.loads(content)
    except json.JSONDecodeError as error:
        raise UserError(f'{source} is no JSON ({error}); export as JSON in Label Studio') from error
    if not isinstance(read, list) or not all(isinstance(task, dict) for task in read):
        raise UserError(f'{source} is no list of tasks; export as JSON, not JSON-MIN')
    found = []
    for number, task in enumerate(read, start=1):
        item = (task.get('data') or {}).get(ITEM)
        if not isinstance(item, int):
            raise UserError(
                f'{source}, task {number}: its data has no {ITEM}; import only tasks that were '
                'exported with `review export`'
            )
        for one in task.get('annotations') or ():
            if one.get('was_cancelled'):
                continue
            action, code = _answer(one.get('result') or (), source, number)
            facts = json.dumps([item, one.get('id'), action, code, _user(one)])
            key = 'ls-' + hashlib.sha256(facts.encode()).hexdigest()[:40]
            found.append(
                {'item': item, 'action': action, 'code': code, 'user': _user(one), 'key': key}
            )
    return found


def _result(book: CodeBook, item: int, action: str, code: str | None) -> dict[str, Any]:
    common = {'id': f'{item}-{action}-{code or ""}', 'to_name': TEXT_TAG}
    if action == CODE and code is not None:
        path = [step['code'] for step in book.path(code)] or [code]
        return {
            **common,
            'from_name': CODE_TAG,
            'type': 'taxonomy',
            'value': {'taxonomy': [path]},
        }
    value = {'choices': [CHOICES[action]]}
    return {**common, 'from_name': OTHER_TAG, 'type': 'choices', 'value': value}


def _answer(result: Any, source: object, number: int) -> tuple[str, str | None]:
    """Return action and code of an annotation."""
    names = {shown: action for action, shown in CHOICES.items()}
    for one in result:
        value = one.get('value') or {}
        if one.get('type') == 'taxonomy' and value.get('taxonomy'):
            last = str(value['taxonomy'][0][-1])
            return CODE, last.split(' ', 1)[0]
        for chosen in value.get('choices') or ():
            if chosen in names:
                return names[chosen], None
            if str(chosen).split(' ', 1)[0].isdigit():
                return CODE, str(chosen).split(' ', 1)[0]
    raise UserError(
        f'{source}, task {number}: an annotation has neither a code nor one of '
        f'{", ".join(CHOICES.values())}; complete it in Label Studio, or cancel it'
    )


def _user(annotation: dict[str, Any]) -> str | None:
    """Return the e-mail of who annotated; an export may have only a number."""
    by = annotation.get('completed_by')
    return str(by['email']) if isinstance(by, dict) and by.get('email') else None
