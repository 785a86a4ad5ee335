"""Words that say nothing about the subject, in English and German.

In other languages nothing is left out by name; words that are everywhere in an episode weigh little anyway.
"""

from __future__ import annotations

__all__ = ["FUNCTION_WORDS"]

_ENGLISH = """
a about above actually after again all also always am an and another any anybody anyone anything are aren't
around as at away back be because been before being below between both but by came can can't cannot come comes
coming could couldn't did didn't do does doesn't doing don't done down each either else even ever every
everybody everyone everything few for from further gave get gets getting give gives go goes going gone gonna
good got gotta great had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself
him himself his hmm how how's however i i'd i'll i'm i've if in into is isn't it it'd it'll it's its itself
just kind know knows last least less let let's like little look looking looks lot lots made make makes making
many may maybe me mean means might mm mm-hmm more most much must my myself need never new no nobody none nor
not nothing now of off oh ok okay on once one ones only or other others our ours ourselves out over own people
perhaps please possibly pretty probably put quite rather really right said same saw say saying says see seen
shall she she'd she'll she's should shouldn't since so some somebody someone something sometimes somewhere
sort still stuff such sure take takes than thank thanks that that's the their theirs them themselves then
there there's these they they'd they'll they're they've thing things think this those though thought three
through to today together too took try trying two uh uh-huh um under until up upon us use used using very want
wanted wants was wasn't way we we'd we'll we're we've well went were weren't what what's whatever when when's
where where's whether which while who who's whole whom whose why why's will with within without won't would
wouldn't yeah yep yes yet you you'd you'll you're you've your yours yourself yourselves
"""
_GERMAN = """
aber ach alle allem allen aller alles also am an andere anderem anderen anderer anderes auch auf aus bei beim
bin bis bisschen bist da dabei dadurch dafür dagegen daher dahin damit dann daran darauf daraus darf darin
darüber darum das dass davon dazu dein deine dem den denen denn der deren des deshalb dessen die dies diese
diesem diesen dieser dieses doch dort du durch dürfen eben eher eigentlich ein eine einem einen einer eines
einfach einige einmal er erst es etwas euch euer eure fast finde für ganz ganze ganzen gar geht gemacht genau
gerade gern gesagt gibt ging glaube gut habe haben habt halt hat hatte hatten hätte hätten hier hin ich ihm
ihn ihnen ihr ihre ihrem ihren ihrer im immer in ins irgendwas irgendwie irgendwo ist ja je jede jedem jeden
jeder jedes jetzt kann kannst kein keine keinem keinen keiner klar kommen kommt können könnte könnten lassen
leute mach mache machen macht mag mal man manche mein meine meinem meinen meiner meist mich mir mit möchte
muss müssen nach naja natürlich ne nein nicht nichts nie noch nochmal nun nur ob oder ohne okay richtig sache
sachen sag sagen sagt schon sehr sei sein seine seinem seinen seiner seit selbst sich sie siehst sieht sind so
sogar solche soll sollen sollte sollten sonst sozusagen tatsächlich tja tun über um und uns unser unsere
unter viel viele vielleicht vom von vor war wäre wären waren warum was weg wegen weil weiter welche welchem
welchen welcher welches wenn wer werde werden wie wieder will willst wir wird wirklich wo wobei wollen wollte
worden wurde würde wurden würden ziemlich zu zum zur zwar zwischen äh ähm
"""

FUNCTION_WORDS = frozenset(_ENGLISH.split()) | frozenset(_GERMAN.split())
"""Lower case; English contractions have a straight apostrophe."""
