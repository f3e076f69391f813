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
