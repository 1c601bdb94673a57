// Where kmlab's own options end and the guest's words begin: at the first word that is no option.
import { CAPTURE_OPTIONS, type GuestOption } from "./guest-options.ts";

/**
 * Puts `--` before the first word that is neither an option nor an option's value, so that
 * `kmlab run --ring 0 ls -l` gives `-l` to ls.
 * @param words the command line after `kmlab`
 */
export function separateGuest(words: string[]): string[] {
  const takesValue = new Set<string>();
  for (const [name, option] of Object.entries<GuestOption>(CAPTURE_OPTIONS)) {
    if (option.type === "boolean") continue;
    takesValue.add(`--${name}`);
    if (option.alias !== undefined) takesValue.add(`-${option.alias}`);
  }
  let verbSeen = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "--") return words;
    if (word.startsWith("-") && word !== "-") {
      if (takesValue.has(word)) i++;
    } else if (!verbSeen) {
      verbSeen = true;
    } else {
      return [...words.slice(0, i), "--", ...words.slice(i)];
    }
  }
  return words;
}
