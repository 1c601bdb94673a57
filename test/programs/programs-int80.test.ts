// Do Debian's own programs print, return and leave behind in kmlab what they do on a real kernel? In ring 3, by int 0x80.
import { WAYS } from "./guest.ts";
import { compareCases } from "./suite.ts";

await compareCases(WAYS[0]);
