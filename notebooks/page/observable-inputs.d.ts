// The part of @observablehq/inputs that the notebooks use; the package has no types.
declare module "@observablehq/inputs" {
  interface Options {
    readonly label: string;
    readonly value: string | number;
  }
  export function range(
    extent: readonly [number, number],
    options: Options & { readonly step: number; readonly transform?: (value: number) => number },
  ): HTMLElement;
  export function select(words: readonly string[], options: Options): HTMLElement;
  export function form(inputs: Readonly<Record<string, HTMLElement>>): HTMLElement;
}
