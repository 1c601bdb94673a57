// One at a time: every parameter at each end of its range, the others in the middle of theirs. What a tornado chart shows.

/** Something to be examined: parameters in [0, 1] (1/2: the nominal value) to one number for each output. */
export type Response = (u: Float64Array) => readonly number[];

/** Outputs with one parameter at its low and at its high end. */
export interface Swing {
  readonly parameter: number;
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Two runs a parameter. */
export function oneAtATime(f: Response, parameters: number): Swing[] {
  const u = new Float64Array(parameters).fill(0.5);
  const swings: Swing[] = [];
  for (let parameter = 0; parameter < parameters; parameter++) {
    u[parameter] = 0;
    const low = f(u);
    u[parameter] = 1;
    const high = f(u);
    u[parameter] = 0.5;
    swings.push({ parameter, low, high });
  }
  return swings;
}
