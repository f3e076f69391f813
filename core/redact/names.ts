/** What the name of a JSON member says of its value. The rules for text hold the same names. */
import { isNameHinted } from "./scan.ts";

export type Named = "track" | "cvv" | "pin" | "secret";

export interface Name {
  readonly kind: Named;
  /** Of the name in snake_case. */
  readonly pattern: RegExp;
  /** Whether the value is one of this kind; a number is given as it is written. */
  readonly holds: (value: string, isNumber: boolean) => boolean;
}

export const NAMES: readonly Name[] = [
  {
    kind: "track",
    pattern:
      /(?:^|_)(?:track_?(?:[12](?:_?(?:equivalent_?)?data)?|data)|mag(?:netic)?_?stripe(?:_?data)?)$/,
    holds: (value) => value.length >= 8 && /\d/.test(value),
  },
  {
    kind: "cvv",
    pattern:
      /(?:cvv|cvc|cvn)_?[12]?(?:_?(?:code|number|value|no|data))?$|(?:^|_)cav_?2$|card_?verification_?(?:code|value|number)$/,
    holds: (value) => value !== "",
  },
  {
    // A security code is also what an exchange calls a share, a `cid` any id.
    kind: "cvv",
    pattern: /(?:^|_)(?:csc|cid)$|security_?code$/,
    holds: (value) => /^\s*\d{3,4}\s*$/.test(value),
  },
  { kind: "pin", pattern: /pin_?block(?:_?data)?$/, holds: (value) => value !== "" },
  {
    // A number has lost the zeros in front.
    kind: "pin",
    pattern: /(?:^|_|card)pin(?:_?(?:code|number|value|no))?$/,
    holds: (value, isNumber) => (isNumber ? /^\d{1,12}$/ : /^\s*\d{4,12}\s*$/).test(value),
  },
  {
    kind: "secret",
    pattern: /(?:^|_)(?:api_?key|secret|password|passwd|pwd|(?<!(?:^|_)page_)token|credentials?)$/,
    holds: (value, isNumber) => value.length >= (isNumber ? 3 : 1),
  },
];

/** What a member is that has this name; undefined for most names. */
export function nameOf(key: string): Name | undefined {
  if (key.length > KEY_CHARS_MAX || !isNameHinted(key)) return undefined;
  const snake = key
    .replace(/([a-z0-9])(?=[A-Z])/g, "$1_")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();
  return NAMES.find(({ pattern }) => pattern.test(snake));
}

/** No name is longer. */
const KEY_CHARS_MAX = 100;
