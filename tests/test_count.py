"""What the count of lines calls a line of code."""

from benchmarks.count import code_lines

_SOURCE = '''"""Of the module."""

# a comment
TABLE = """two
lines"""


class Thing:
    """Of the class."""

    def method(self):
        """Of the method,
        on two lines.
        """
        return TABLE  # of one line
'''


def test_docstrings_comments_and_blank_lines_do_not_count_and_texts_do():
    assert code_lines(_SOURCE) == len(["TABLE", "lines", "class", "def", "return"])
