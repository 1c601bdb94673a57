// A timer interrupt at every instruction of the way out of a direct call that a signal has interrupted: the call ends as it does when
// none comes. The signal may be delivered inside the stub; what restarts calls must see the call all the same.
import { expect, it } from "vitest";
import { TIMER_IRQ } from "../../../../src/emu/machine/machine.ts";
import { DATA, world } from "./harness.ts";

const ROUNDS = 260;

/** pause() again and again, each ended by an interval timer's SIGALRM; exits with how often the result was not EINTR. */
const PAUSES = `
  mov eax, 67
  mov ebx, 14
  mov ecx, action
  xor edx, edx
  int 0x80
  mov dword [data+4], 100
  mov dword [data+12], 100
  mov eax, 104
  xor ebx, ebx
  mov ecx, data
  xor edx, edx
  int 0x80
  mov esi, ${ROUNDS}
  xor edi, edi
again:
  mov eax, 29
  mov ecx, vsyscall
  mov edx, 77
  call ecx
  cmp edx, 77
  jne wrong
  cmp eax, -4
  je right
wrong:
  inc edi
  mov [data+64], eax
right:
  dec esi
  jnz again
  mov eax, 252
  mov ebx, edi
  int 0x80
caught:
  inc dword [data+32]
  ret
action:
  dd caught, 0, 0, 0
`;

it("gives EINTR, whichever of its last instructions is interrupted", () => {
  const w = world(PAUSES, { ring: 0 });
  const { k, machine } = w;
  let sent = 0;
  const send = k.signals.sendGroup.bind(k.signals);
  k.signals.sendGroup = (t, info) => {
    // What wakes the program takes some of these units, the rest are instructions of its way out.
    k.clock.watch(k.clock.now() + k.charges.contextSwitch + sent++, () => machine.pic.pulse(TIMER_IRQ));
    return send(t, info);
  };
  expect([w.run(), w.word(DATA + 64)]).toEqual([0, 0]);
  expect(sent).toBeGreaterThanOrEqual(ROUNDS);
  expect(w.word(DATA + 32)).toBeGreaterThanOrEqual(ROUNDS - 1);
});
