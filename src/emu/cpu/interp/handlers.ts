// Handlers of decoded operations, made when first needed: most programs use a few hundred of the thousands possible.
import type { Cpu } from "../cpu.ts";
import { type Handler, KEYS_PER_FORM } from "../isa/decode.ts";
import type { Form } from "../isa/forms.ts";
import { BINDINGS, handlerSource } from "./emit.ts";
import { makeRuntime } from "./runtime.ts";

type Factory = (...bindings: unknown[]) => Handler;

/** Compiled factories by form id and specialisation; the same for every Cpu. */
const factories = new Map<number, Factory>();

function factoryOf(form: Form, key: number): Factory {
  const id = form.id * KEYS_PER_FORM + key;
  let factory = factories.get(id);
  if (factory === undefined) {
    const name = `${form.names[0].replace(/\W/g, "_")}_${form.size}_${key.toString(16)}`;
    const source = `"use strict";return function ${name}(o){\n${handlerSource(form, key)}\n}`;
    factory = new Function(...BINDINGS, source) as Factory;
    factories.set(id, factory);
  }
  return factory;
}

/** The handlers of one Cpu for one privilege. */
export class HandlerSet {
  private readonly bindings: unknown[];
  private readonly byForm: (Handler | undefined)[] = [];

  constructor(cpu: Cpu, user: boolean) {
    this.bindings = makeRuntime(cpu, user);
  }

  get(form: Form, key: number): Handler {
    const id = form.id * KEYS_PER_FORM + key;
    const known = this.byForm[id];
    if (known !== undefined) return known;
    const handler = factoryOf(form, key)(...this.bindings);
    this.byForm[id] = handler;
    return handler;
  }
}
