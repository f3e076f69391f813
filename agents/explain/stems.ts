/** Words of a text cut to their stems, without those that carry no meaning. Only for comparing. */

const STOP = new Set(
  `the and that this these those with from into onto over under after before during while when where which who whom whose
what why how its their they them then than there here have has had was were been being are will would could can may might
shall should must does did done not nor but for out off via per all any each every some most more less many much few very
also only just still same other another such own because since until about above below between through against towards
toward again once both either neither one two first second see saw seen show shows shown look check find found say says
said tell name names likely cause causes caused root service services system systems incident alarm evidence window
normal normally usual expected time times happen happened begin began start started due lead leads led result results
suggest suggests indicate indicates point points consistent mean means line lines value rule least number affected
affect affects suffer suffers problem problems issue issues make makes made get gets got now new`.split(
    /\s+/,
  ),
);

/** Stems of the words that say something, of a text in its comparable form. */
export function stemsOf(text: string): Set<string> {
  const words = text.match(/\p{L}{3,40}/gu) ?? [];
  return new Set(words.filter((word) => !STOP.has(word)).map(stem));
}

function stem(word: string): string {
  const cut = word.replace(/(?:ations?|ions?|ments?|ings?|ed|es|ly|s)$/, "");
  return (cut.length >= 3 ? cut : word).replace(/(.)\1$/, "$1").replace(/e$/, "");
}

/** Words that tell how things hang together, whatever they are. They neither support nor invent. */
const TALK = stemsOf(
  `exhausted run ran out wait waits waiting call calls caller callers request requests response responses respond fail
fails failed failing failure rise rises rose risen increase increased high higher low lower slow slower fast long longer
short change changed changes go goes going went come comes came reach reached reaches above below limit limits maximum
free busy full empty hold holds held return returned returning answer answers answered available unavailable able unable
could get gotten obtain use used uses using need needs needed keep keeps kept stop stops stopped spread spreads follow
follows followed behind propagate propagates downstream upstream depend depends dependency explain explains explained
account accounts match matches matching fit fits agree contradict contradicts rather instead however although though
because therefore thus hence together alone often rarely rate rates share count counts number numbers amount level
levels percent average mean median within around roughly nearly almost approximately every each most least first then
behaviour behavior unusual usually baseline before after during rule threshold measured reported logged saw seen
observed started begins primary main source origin step path code trace traces appear appears appeared occur occurs
occurred give gives given take takes took blocked stuck queue queued pressure saturated saturation operation work works
working process processes handle handled own itself their them time times second seconds minute minutes peak peaked sudden
suddenly onset present absent spike spiked jump jumped grow grew grown drop dropped degrade degraded unable succeed
successful concurrent compared versus difference likely possible possibly probably return returns show showed include
including includes involve involved without several instead directly part parts single separate`,
);

/** The stems that say something of their own. */
export function tellingStems(text: string): string[] {
  return [...stemsOf(text)].filter((one) => !TALK.has(one));
}
