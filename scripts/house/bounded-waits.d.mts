import type { ESLint } from 'eslint'

/** The rule `bounded-wait`. */
export declare const boundedWaits: ESLint.Plugin
