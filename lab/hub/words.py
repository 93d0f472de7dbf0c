"""Words that the tiny models' tokenizer learns as one token each, commonest first.

Enough of them that an agent's ten kilobytes of instructions and its tool schemas become a few
thousand tokens, as they would for the tokenizer of a real model.
"""

from __future__ import annotations

ENGLISH = """
the of and to in a is that for it you on with as are be this was at by not or from have an they
which one your all we can will but when there their what if more about do so other into than then
no them these out may would its up who been has had were each how only also time new some could
where such first any like must should way using use used user users need needs want does done did
make makes made making take takes get gets getting give gives given set sets setting settings keep
keeps kept let lets put call calls called calling run runs running ran work works working worked
write writes writing written read reads reading file files path paths folder directory directories
name names named line lines text word words string strings number numbers value values key keys
list lists item items object objects array arrays type types field fields property properties
parameter parameters argument arguments option options default defaults required optional enum
description describe describes title schema example examples tool tools function functions command
commands shell bash terminal output outputs input inputs result results return returns returned
error errors fail fails failed failure warning message messages response responses request requests
answer answers question questions ask asks asked help helps helpful task tasks todo plan plans step
steps before after during while until always never ever often sometimes usually instead rather
however because since therefore thus though although unless otherwise even just still yet already
again once twice both either neither same different similar between among across through over under
above below within without against along around near next last previous current following
important note notes avoid ensure sure check checks checked verify test tests tested testing fix
fixes change changes changed create creates created creating delete deleted remove removed add adds
added update updated edit edits editing edited replace replaced old show shows shown find finds
found search searches look looks looking see seen know known think understand explain describe
provide provides provided include includes included including contain contains follow follows
specific particular general simple complex complete completed complete entire full empty missing
available possible likely able unable unnecessary necessary useful correct incorrect right wrong
good best better worse bad clear clean small large long short high low fast slow quick quickly
direct directly exactly only most many much few less least several multiple single another every
project projects code codebase source repository repo git commit commits branch merge diff status
push pull issue issues package packages module modules library libraries import export class classes
method methods variable variables constant comment comments document documents documentation page
pages web website url link links http https server servers client clients host hosts port network
address local remote system systems machine computer memory disk process processes program programs
application service services session sessions agent agents model models token tokens context prompt
prompts conversation content contents data database table query queries language languages python
javascript typescript rust java json yaml markdown html css node npm react version versions release
build builds built install installed configuration config configure environment development
production security secure secret secrets password permission permissions allow allowed deny access
public private safe malicious attack defensive policy rules rule style styles convention conventions
pattern patterns format formats formatted match matches matching regex expression expressions glob
absolute relative root home workspace working write timeout milliseconds seconds minutes second
minute hour day week month year today date start starts started stop stops stopped end ends finish
finished wait begin open opens close closed load loads save saved store stored cache copy move copy
image images screen window button view display color size sizes width height count counts limit
limits maximum minimum max min total average offset index begin range sequence order sort sorted
parallel parallel batch independent depends dependencies dependency concise brief summary summaries
detail details information background reason reasons purpose goal goals intent progress state states
pending cancelled completed priority medium low high behavior behaviour feature features support
supports supported software engineering engineer developer developers team people person someone
anything something nothing everything thing things part parts piece place point points case cases
kind level levels top bottom left right side front back head body true false null none yes no ok
I am hello hi thanks please say says said tell sentence paragraph hello world question short title
generate generated generator thread brief exceed characters character single never
it's don't you're can't won't isn't doesn't that's they're let's
"""

#: runs that instructions, code and JSON schemas are full of; a leading blank is meant
MARKS = [
    *('":"', '","', '":{"', '"},"', '":["', '"],"', '"}', '{"', '":', '",', '"', "'", '"]', '"]}'),
    *('}},"', '"}}', "}}", '},{"', ':{"', ":", "::", ".", ",", ";", "!", "?", "...", "`", "```"),
    *("(", ")", "()", "();", "[", "]", "{", "}", "<", ">", "</", "/>", "/", "//", "/*", "*/", "*"),
    *("**", "#", "##", "###", "-", "--", "---", "_", "__", "=", "==", "===", "!=", "=>", "->"),
    *("+", "+=", "|", "||", "&", "&&", "$", "${", "@", "~", "%", "\\", '\\"', "\\n", ".\n", ":\n"),
    *(" -", " --", " #", " =", " ==", " =>", " ->", " (", ' "', " '", " `", " {", " }", " <", " /"),
    *(" *", " **", " &&", " ||", " |", " +", " [", " ]", ".\n\n", ":\n\n", ")\n", ",\n", "{\n"),
    *(
        "}\n",
        ">\n",
        "\n",
        "\n\n",
        "\n\n\n",
        "  ",
        "   ",
        "    ",
        "       ",
        "        ",
        "\t",
        "\t\t",
    ),
]
#: what comes before and after a stem in ordinary text, with how often against the bare word
FORMS = ((" {}", 100), ("{}", 30), (" {title}", 20), ("{title}", 20), ("{upper}", 3))
ENDINGS = ("ing", "ed", "er", "ers", "ion", "ions", "ment", "ly", "s", "es", "al", "ity", "able")
