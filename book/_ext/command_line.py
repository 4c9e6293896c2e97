"""Sphinx extension: the directive ``commands`` describes a click program from the program
itself.
"""

import importlib
import re

import click
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def setup(app) -> dict:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Commands(SphinxDirective):
    """A section for every command of a group; the argument is ``module:group``, the name of the
    program the group's own.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The sections, in the order in which the commands were written."""
        module, name = self.arguments[0].split(":")
        group = getattr(importlib.import_module(module), name)
        return [
            self._section(click.Context(command, info_name=f"{name} {key}"))
            for key, command in group.commands.items()
        ]

    def _section(self, context: click.Context) -> nodes.section:
        usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
        section = nodes.section(
            "", nodes.title(text=context.command_path), ids=[nodes.make_id(context.command_path)]
        )
        section += nodes.literal_block(usage, usage, language="text")
        section += [
            _paragraph(" ".join(part.split())) for part in context.command.help.split("\n\n")
        ]
        records = [
            option.get_help_record(context) for option in context.command.get_params(context)
        ]
        section += nodes.definition_list(
            "", *[_item(*record) for record in records if record and record[1]]
        )
        self.state.document.note_explicit_target(section)
        return section


def _item(names: str, text: str) -> nodes.definition_list_item:
    """An option as it is written, and its meaning."""
    return nodes.definition_list_item(
        "", nodes.term("", "", nodes.literal(text=names)), nodes.definition("", _paragraph(text))
    )


def _paragraph(text: str) -> nodes.paragraph:
    """Plain text of a help page; options, and what stands in backticks, as code."""
    pieces = re.split(r"`([^`]+)`|(?<!\S)(--?[a-z][a-z-]*)", text)  # text, code, option, text, ...
    kinds = (nodes.Text, nodes.literal, nodes.literal)
    parts = [(kinds[k % 3], piece) for k, piece in enumerate(pieces) if piece]
    return nodes.paragraph(
        "",
        "",
        *(kind(piece) if kind is nodes.Text else kind(piece, piece) for kind, piece in parts),
    )
