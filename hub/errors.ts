/** A failure the caller can act on. Anything else is a bug and leaves as a bare 500. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string) {
    super(message)
    this.code = code
    this.status = status
  }
}

const make = (code: string, status: number, message: string) => new HubError(code, status, message)

/** Every code the hub can answer with; `docs/errors.md` is checked against this list. */
export const errors = {
  configInvalid: (detail: string) => make('CONFIG_INVALID', 500, `Bad setting: ${detail}`),
  portTaken: (what: string, port: number, setting: string) =>
    make(
      'PORT_TAKEN',
      500,
      `Port ${port} for ${what} is in use: stop the other program or set ${setting}`,
    ),
  dataNotWritable: (dir: string) =>
    make(
      'DATA_NOT_WRITABLE',
      500,
      `The data folder '${dir}' cannot be written: mend its rights or set HUB_DATA_DIR`,
    ),
  storeNewer: (file: string) =>
    make(
      'STORE_NEWER',
      500,
      `'${file}' was written by a newer hub: start that version, or restore a backup`,
    ),
  storeBusy: () => make('STORE_BUSY', 503, 'The store is busy: try again'),
  notSignedIn: () => make('NOT_SIGNED_IN', 401, 'Sign in first'),
  signInFailed: () => make('SIGN_IN_FAILED', 401, 'Wrong name or password'),
  tooManyTries: () => make('TOO_MANY_TRIES', 429, 'Too many tries: wait a minute'),
  passwordTooWeak: () => make('PASSWORD_TOO_WEAK', 400, 'A password needs at least 10 characters'),
  forbidden: (who: string) => make('FORBIDDEN', 403, `You may not do this: ask ${who}`),
  regionNotFound: (scope: string) => make('REGION_NOT_FOUND', 404, `No region '${scope}'`),
  deviceNotFound: (id: string) => make('DEVICE_NOT_FOUND', 404, `No device '${id}'`),
  cameraNotFound: (id: string) => make('CAMERA_NOT_FOUND', 404, `No camera '${id}'`),
  alarmNotFound: (id: string) => make('ALARM_NOT_FOUND', 404, `No alarm '${id}'`),
  alarmTaken: (id: string, by: string) =>
    make('ALARM_TAKEN', 409, `Alarm '${id}' was already taken by ${by}`),
  alarmWrongState: (id: string, state: string, action: string) =>
    make('ALARM_WRONG_STATE', 409, `Cannot ${action} alarm '${id}': it is ${state}`),
  deviceExists: (id: string) => make('DEVICE_EXISTS', 409, `Device '${id}' is already registered`),
  userExists: (name: string) => make('USER_EXISTS', 409, `User '${name}' already exists`),
  userNotFound: (name: string) => make('USER_NOT_FOUND', 404, `No user '${name}'`),
  mediaUnavailable: () =>
    make('MEDIA_UNAVAILABLE', 503, 'The picture service is restarting: try again in a few seconds'),
  badRequest: (detail: string) => make('BAD_REQUEST', 400, detail),
} as const
