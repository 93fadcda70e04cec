import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { boundedWaits } from './scripts/house/bounded-waits.mjs'

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'No default exports: a name that is given once is found everywhere.',
}

const noEnum = { selector: 'TSEnumDeclaration', message: 'A union of strings instead of an enum.' }

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'test/package/consumer/']),
  {
    name: 'everything',
    files: ['**/*.{ts,mjs}'],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/require-await': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // `await using _lease = …` names what is only held.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // Ids and counts are written into messages all over; a key prints as its decimal id.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allow: [{ from: 'file', name: 'Key' }] },
      ],
      // `return client.release()` leaves a function early in one line, and `() => (count += 1)` is a short listener.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Guards at the border check what the types already promise, because plain JavaScript calls in as well.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // `deferred<void>()` and `void | Promise<void>` say what they mean.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Error codes without details carry the empty object on purpose.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      // Clients of pg are told apart by what they can do, not by who made them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Objects with names that are data are common here: bodies, parameters, rows.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // A type parameter that only names the result is how `query<Row>()` of pg and of this package is read.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      'no-restricted-syntax': ['error', noDefaultExport, noEnum],
      // `== null` asks for null and undefined at once.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    name: 'the product: short functions, streams are given, never found, and every wait has a bound',
    files: ['src/**/*.ts'],
    plugins: { house: boundedWaits },
    rules: {
      'house/bounded-wait': 'error',
      'no-console': 'error',
      complexity: ['error', 12],
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    name: 'the table of codes is one table, however many there are',
    files: ['src/errors.ts'],
    rules: { 'max-lines': 'off' },
  },
  {
    name: 'tests: rows of pg are any, and bad input is the point of many',
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'no-loss-of-precision': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    name: 'plain JavaScript has no types to check',
    files: ['**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly', setTimeout: 'readonly' } },
  },
  {
    name: 'tools that read their configuration insist on a default export',
    files: ['*.config.{ts,mjs}', 'hypervault.config.*'],
    rules: { 'no-restricted-syntax': ['error', noEnum] },
  },
)
