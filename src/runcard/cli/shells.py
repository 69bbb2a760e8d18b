"""The three shells that ask what a line can go on with: what each is told to do, and how it wants its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCRIPTS = {
    "bash": r"""_runcard() {
    local answers
    answers=$(COMP_LINE=$COMP_LINE COMP_POINT=$COMP_POINT COMP_TEXT=$2 \
        "${COMP_WORDS[0]/#\~/$HOME}" --shell-completion query=bash 2>/dev/null)
    if [[ -z $answers ]]; then
        [[ $2 == *[~\$/]* ]] && compopt -o default
        return
    fi
    mapfile -t COMPREPLY <<< "$answers"
    if [[ $answers == *[=./] ]]; then
        compopt -o nospace
    fi
}
complete -o nosort -F _runcard runcard""",
    "zsh": r"""_runcard() {
    local -a answers open closed
    answers=("${(@f)$(COMP_LINE="${words[1,CURRENT-1]} $QIPREFIX$PREFIX" \
        ${~words[1]} --shell-completion query=zsh 2>/dev/null)}")
    answers=(${answers:#})
    if (( ! $#answers )); then
        [[ $PREFIX == *[\~\$/]* ]] || return 1
        compset -P '*='
        _files
        return
    fi
    closed=(${answers:#*[=./]})
    open=(${(M)answers:#*[=./]})
    (( $#closed )) && compadd -V runcard-words -a closed
    (( $#open )) && compadd -V runcard-keys -S '' -a open
}
compdef _runcard runcard""",
    "fish": r"""function __runcard_complete
    set -l program (string replace -r -- '^~' $HOME (commandline -opc)[1])
    set -l line (commandline -cp | string join ' ')
    set -l typed (commandline -ct)
    set -l answers (env COMP_LINE=$line $program --shell-completion query=fish 2>/dev/null)
    if test (count $answers) -eq 0
        string match -qr -- '[~$/]' "$typed"; and __fish_complete_path "$typed"
    else
        printf '%s\n' $answers
    end
end
complete -c runcard -e
complete -c runcard -k -f -a '(__runcard_complete)'""",
}
UNDONE = {
    "bash": "complete -r runcard 2>/dev/null\nunset -f _runcard",
    "zsh": "compdef -d runcard\nunfunction _runcard",
    "fish": "complete -c runcard -e\nfunctions -e __runcard_complete",
}
# One character or more that a shell would read as something else.
SPECIAL = re.compile(r"[^\w@%+=:,./-]")


@dataclass(frozen=True)
class Line:
    """A command line, and where the cursor is in it.

    Attributes:
        words: Those that are over, without their quotes; the first is the command.
        typed: The one under way, without its quotes; may be empty.
        quote: The quotation mark that it stands in; empty if none is open.
        later: The words behind the cursor.
    """

    words: Sequence[str]
    typed: str
    quote: str
    later: Sequence[str] = ()


def read_line(text: str, point: int | None = None) -> Line:
    """Divide a line as a shell does, but for what it would fill in.

    Args:
        text: All of it.
        point: Where the cursor is; None: at the end.
    """
    point = len(text) if point is None else point
    words, typed, quote = _divided(text[:point])
    while words and re.match(r"\w+=", words[0]):  # set for this one command
        words = words[1:]
    rest = text[point:].partition(" ")[2]  # without the end of the word that the cursor is in
    return Line(words, typed, quote, tuple(_divided(f"{rest} ")[0]))


def _divided(text: str) -> tuple[list[str], str, str]:
    """The words that are over, the one under way, and the quote that is open."""
    words, word, quote, begun = list[str](), "", "", False
    characters = iter(text)
    for character in characters:
        if character == "\\" and quote != "'":
            word, begun = word + next(characters, ""), True
        elif character == quote or (not quote and character in "'\""):
            quote, begun = "" if quote else character, True
        elif character.isspace() and not quote:
            words, word, begun = ([*words, word] if begun else words), "", False
        else:
            word, begun = word + character, True
    return words, word, quote


def reply(shell: str, line: Line, answers: Mapping[str, str], replaced: str | None) -> str:
    """What the shell reads, one answer a line.

    Args:
        shell: Of ``SCRIPTS``.
        line: What was typed.
        answers: What the word under way may become → what to say about it.
        replaced: The part of that word, as typed, that the shell puts the answer in place of; None: all of it. Bash
            divides words at ``=`` and ``:``.
    """
    if shell == "fish":
        return "\n".join(f"{answer}\t{about}" if about else answer for answer, about in answers.items())
    if replaced is None:
        return "\n".join(answers)
    found = [replaced + _quoted(answer[len(line.typed) :], line.quote) for answer in answers]
    if line.quote and len(found) == 1 and found[0].endswith(("=", ".", "/")):
        found.append(f"{found[0]}...")  # else bash takes the word for whole and closes the quote
    return "\n".join(found)


def _quoted(text: str, quote: str) -> str:
    """What bash must be given to read this text, inside quotes or outside of them."""
    if quote == "'":
        return text.replace("'", r"'\''")
    if quote:
        return re.sub(r'["\\$`]', r"\\\g<0>", text)
    return SPECIAL.sub(r"\\\g<0>", text)
