// What the console's server sends, what the page makes of it, and the functions of its modules. Times
// are milliseconds. Only the type check reads this file; it is not served.

declare namespace T {
  /** Where the replay of a record is. */
  interface Replay {
    event: 'replay';
    playing: boolean;
    speed: number;
    at_ms: number;
    from_ms: number;
    to_ms: number;
    /** Milliseconds since 1970 at time zero. */
    origin_unix_ms: number;
    /** The longest, in the order of time. */
    holds: { started_ms: number; duration_ms: number }[];
    /** How many lines are damaged, and how many could not be written. */
    damaged: number;
    missing: number;
    /** How many events were lost, and how many requests were only counted. */
    lost: number;
    left_out: number;
  }
  interface Snapshot {
    event: 'snapshot';
    version: string;
    now_ms: number;
    /** Where a browser finds the app. */
    app_url: string | null;
    /** What to try first. */
    intro: { sentence: string; commands: string[] } | null;
    limits: Limits;
    buttons: Button[];
    workers: (Load & { held: Hold | null })[];
    lanes: OpenLane[];
    waiting: { peer: string; since_ms: number }[];
    holds: Hold[];
    totals: Totals;
    doing: Doing | null;
    probe: Probe | null;
  }
  /** What open requests do. */
  interface Doing {
    waits: Wait[];
    /** How many places are not listed. */
    more: number;
    lanes: { lane: number; state: string; since_ms: number | null; place: string | null }[];
    held_up: { route: string; by: string | null; requests: number; held_up_ms: number }[];
  }
  /** Something that has gone on since then. */
  interface Lasting {
    what: string;
    since_ms: number;
  }
  /** A line of code and what it waits in, and the routes of those that wait there. */
  interface Wait extends Lasting {
    place: string;
    requests: number;
    waiting: Lasting[];
    /** What others of the same routes do. */
    others: Lasting[];
    stack: string[];
  }
  /** What the server keeps and sends at most. */
  interface Limits {
    /** Chunks of a lane. */
    chunks: number;
    lanes: number;
    /** Holds that are over. */
    holds: number;
    /** The most requests of a probe. */
    requests: number | null;
    /** How often news is sent. */
    beat_ms: number;
    /** How often the time is sent when there is no news. */
    heartbeat_ms: number;
  }
  interface Button {
    number: number;
    label: string;
    path: string;
    code: string | null;
    parameters: Parameter[];
  }
  /** A query parameter that the person at the page sets. */
  interface Parameter {
    name: string;
    label: string;
    kind: 'integer' | 'duration';
    min: number | string;
    max: number | string;
    default: number | string;
    suggestions: (number | string)[];
  }
  interface Load {
    worker: number;
    open: number;
  }
  /** A request that a worker has read. In the snapshot it has the times of a bar, too. */
  interface OpenLane extends Partial<Bar> {
    lane: number;
    worker: number;
    method: string;
    route: string;
    path: string;
    waited_ms: number | null;
    opened_ms: number;
  }
  interface Hold {
    kind: string;
    worker: number;
    started_ms: number;
    duration_ms: number;
    culprits: Culprit[];
    ongoing: boolean;
    activity?: string | null;
    lines?: Line[];
    /** The lines in words. */
    places?: string[];
    stack?: string[];
    sentence: string;
  }
  interface Culprit {
    method: string;
    route: string;
    part: string;
    /** Its lane; not there where several requests are summed up. */
    lane?: number | null;
  }
  interface Line {
    function: string;
    file: string | null;
    line: number | null;
    called: string | null;
    samples: number;
  }
  /** Open, finished, unfinished, chunks, lost, hidden, undrawn, waiting. */
  type Totals = Record<string, number>;
  interface Probe {
    id: number;
    button: number;
    requests: number;
    state: 'running' | 'done' | 'failed' | 'stopped';
    phase: string;
    step: number;
    steps: number;
    /** On the clock of its lanes. */
    now_ms: number;
    lanes: ProbeLane[];
    findings: Findings | null;
    /** Why it failed. */
    detail: string | null;
  }
  interface ProbeLane {
    label: string;
    requested_ms: number;
    first_byte_ms: number | null;
    chunks_ms: number[];
    finished_ms: number | null;
    ended_ms: number | null;
    status: number | null;
    error: string | null;
  }
  interface Findings {
    verdict: string;
    sentence: string;
    evidence: string[];
    delivery_sentence: string;
    identical: { sentence: string } | null;
    /** Null if no other route was asked. */
    beside: unknown[] | null;
    cause: { sentence: string; evidence: string[] };
    advice: string[];
  }
  type Message =
    | Snapshot
    | (OpenLane & { event: 'opened' })
    | { event: 'answered'; lane: number; answered_ms: number; status: number }
    | { event: 'chunks'; lane: number; chunks_ms: number[] }
    | ({ event: 'ended'; lane: number; ended_ms: number; finished_ms: number | null } & Spent)
    | { event: 'dropped'; lanes: number[] }
    | { event: 'held'; hold: Hold }
    | { event: 'released'; hold: Hold }
    | { event: 'withdrawn'; hold: Hold }
    | { event: 'waiting'; waiting: { peer: string; since_ms: number }[] }
    | (Doing & { event: 'doing' })
    | (Probe & { event: 'probe' })
    | { event: 'now'; now_ms: number; totals: Totals; workers: Load[] }
    | { event: 'behind'; detail: string };

  /** What a request's time was spent on. */
  interface Spent {
    spent: string;
    held_up_ms: number;
  }

  // ---- the page's own ----

  /** What can be drawn as a bar. A time is null before it has come. */
  interface Bar {
    asked_ms: number | null;
    opened_ms: number | null;
    answered_ms: number | null;
    status: number | null;
    chunks_ms: number[];
    /** Null when it was cut off. */
    finished_ms: number | null;
    ended_ms: number | null;
    color: number;
    /** Since when it waits for something, as far as that is known. */
    waits_ms: number | null;
  }
  interface Lane extends Bar, Omit<OpenLane, keyof Bar>, Partial<Spent> {
    opened_ms: number;
    /** Where it waits. */
    place?: string | null;
    /** What its query says of `x`. */
    x: string | null;
  }
  /** A connection that no worker has read yet. */
  interface Unread extends Bar {
    peer: string;
  }
  interface Worker {
    open: number;
    held: Hold | null;
  }

  /** A time in which a lane was held up, and the hold that did it. */
  interface HeldUp {
    from: number;
    to: number;
    hold: Hold;
  }

  /** A row of a small chart. */
  interface ChartItem extends Bar {
    text: string;
    title?: string;
  }

  interface Chart {
    canvas: HTMLCanvasElement;
    list: HTMLElement;
    node: HTMLElement;
    items: ChartItem[];
    /** Returns the time; null when all is over. */
    now: (() => number) | null;
    width: number;
    height: number;
    redraw: boolean;
    drawnAt: number;
  }

  interface Card {
    title: string;
    node: HTMLElement;
    go: HTMLButtonElement;
    stop?: HTMLButtonElement;
    badge: HTMLElement;
    step: HTMLElement;
    problem: HTMLElement;
    chart: Chart;
    verdict: HTMLElement;
    more: HTMLElement;
  }

  interface ProbeCard extends Card {
    button: Button;
    stop: HTMLButtonElement;
    /** The fields of its button's parameters. */
    inputs: (Parameter & { input: HTMLInputElement })[];
    probe: number | null;
  }

  /** The page's elements by id. */
  interface ById {
    (id: 'chart'): HTMLCanvasElement;
    (id: 'pause'): HTMLButtonElement;
    (id: 'requests'): HTMLInputElement;
    (id: 'stack'): HTMLDialogElement;
    (id: 'replay-slider'): HTMLInputElement;
    (id: 'replay-speed'): HTMLSelectElement;
    (id: 'replay-next' | 'replay-back' | 'replay-play'): HTMLButtonElement;
    (id: string): HTMLElement;
  }
  type Tag<K> = K extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[K] : HTMLElement;
  /** What `tag` or `tag.class` makes. */
  type Made<K extends string> = K extends `${infer T}.${string}` ? Tag<T> : Tag<K>;

  interface Model {
    /** Empty before the first snapshot. */
    version: string;
    app_url: Snapshot['app_url'];
    intro: Snapshot['intro'];
    limits: Limits;
    buttons: Button[];
    workers: Map<number, Worker>;
    lanes: Map<number, Lane>;
    waiting: Unread[];
    /** Those that last, too. */
    holds: Hold[];
    /** The last that are over, the newest first. */
    over: Hold[];
    totals: Totals;
    doing: Doing | null;
    /** What a screen reader has to read out; the latest two. */
    unsaid: string[];
    /** The colour of each route. */
    routes: Map<string, number>;
  }
  type Item = Lane | Unread;
  /** What of a hold is in view. */
  interface Span {
    from: number;
    to: number;
    hold: Hold;
  }
  /** Holds that overlap. */
  interface Group {
    from: number;
    to: number;
    workers: Set<number>;
  }
  interface Board {
    width: number;
    height: number;
    top: number;
    seconds: number;
    pausedAt: number | null;
    redraw: boolean;
    drawnAt: number;
  }
  type Ctx = CanvasRenderingContext2D;
  type Scale = (t: number) => number;

  // ---- functions ----

  // dom
  type All = (selector: string) => HTMLElement[];
  /** `kind`: `tag` or `tag.class`. */
  type El = <K extends string>(
    kind: K,
    attributes?: Record<string, string>,
    ...children: (string | Node)[]
  ) => Made<K>;
  type Bullets = (kind: string, lines: string[]) => HTMLElement;
  type SetText = (node: Element, text: string) => void;
  type SetData = (node: Element, name: string, value: unknown) => void;
  type SetLength = (list: Element, length: number, make: () => Element) => void;
  // duration
  type HumanDuration = (ms: number) => string;
  type Count = (n: number, one: string, many?: string) => string;
  // clock
  type MakeClock = (pageNow: () => number) => {
    /** Another server: its clock is another one. */
    reset: () => void;
    /** A message says what time it was when it was sent. */
    hear: (serverMs: number) => void;
    onServer: () => number;
    now: (patience: number) => number;
  };
  // hold
  type HoldEnd = (hold: Hold, now: number) => number;
  type OfHold = (hold: Hold) => string;
  type AndMore = (list: unknown[]) => string;
  type MayHold = (lane: Lane, hold: Hold) => boolean;
  type HadItsTurn = (lane: Lane, piece: HeldUp) => boolean;
  /** When the lane was open while others held its worker, the earliest first; no two overlap. */
  type HeldUpPieces = (lane: Lane, holds: Hold[], now: number) => HeldUp[];
  type IsHeldUp = (pieces: HeldUp[], lane: Lane) => boolean;
  type OfPieces = (pieces: HeldUp[]) => string;
  // model
  type OfBar = (bar: Bar) => string;
  type IsError = (bar: Bar) => boolean;
  type WaitsSince = (bar: Bar, now: number) => number | null;
  type ColorOf = (model: Model, route: string) => number;
  type HeldWorkers = (model: Model) => { worker: number; held: Hold }[];
  type Open = (model: Model, lane: OpenLane) => Lane;
  type Change = (
    model: Model,
    message: Partial<Lane> & { event: string; lane: number },
  ) => Lane[] | undefined;
  /** `held` is what the worker is held by then. */
  type Remember = (model: Model, hold: Hold, held: Hold | null) => boolean;
  type Say = (model: Model, hold: Hold, what: string) => void;
  type Of<K> = Omit<Extract<Message, { event: K }>, 'event'>;
  type Handlers = {
    [K in Exclude<Message['event'], 'probe' | 'behind'>]: (
      model: Model,
      m: Extract<Message, { event: K }>,
    ) => Lane[] | void;
  } & {
    waiting: (model: Model, m: Of<'waiting'>) => void;
    doing: (model: Model, doing: Doing) => void;
  };
  type Apply = (model: Model, message: Message) => Lane[];
  // geometry
  /** From milliseconds to pixels. */
  type MakeScale = (from: number, to: number, left: number, right: number) => Scale;
  /** The lines of the axis: their place from 0 to 1, and how many seconds ago they are. */
  type Axis = (seconds: number, width: number) => { at: number; ago: number }[];
  /** The rows that are seen of a list, and where. */
  type RowsInView = (
    count: number,
    height: number,
    scrolled: number,
    visible: number,
  ) => { row: number; top: number }[];
  type InView = (holds: Hold[], from: number, now: number) => Span[];
  /** Those that overlap as one. */
  type Together = (spans: Span[]) => Group[];
  type Width = (text: string) => number;
  /** The seconds that a small chart shows. */
  type AxisLength = (longestMs: number) => number;
  // live
  type Callbacks = [OfMessage[], ((lane: Lane) => void)[]];
  type OfMessage = (message: Message) => void;
  type OnMessage = (callback: OfMessage) => unknown;
  type OnLane = (callback: (lane: Lane) => void) => unknown;
  type Connected = (state: 'live' | 'reconnecting' | 'behind', detail?: string) => void;
  // canvas
  interface Size {
    width: number;
    height: number;
  }
  type Fit = (canvas: HTMLCanvasElement, size: Size) => Ctx;
  /** Keeps the size of the node. */
  type Measure = (chart: Size & { redraw: boolean }, node: HTMLElement) => void;
  type Box = (ctx: Ctx, color: string, x: number, y: number, width: number, height: number) => void;
  type Label = (
    ctx: Ctx,
    text: string,
    x: number,
    y: number,
    align: CanvasTextAlign,
    color?: string,
  ) => void;
  /** Pieces are from x, y to x, y. */
  type DrawLines = (ctx: Ctx, width: number, dash: number[], pieces: number[][]) => void;
  // bar
  /** `y` is its middle. */
  type DrawBar = (ctx: Ctx, bar: Bar, y: number, x: Scale, now: number, heldUp?: HeldUp[]) => void;
  type Hatch = (ctx: Ctx, left: number, right: number, y: number) => void;
  type LabelHeldUp = (ctx: Ctx, heldUp: HeldUp[], y: number, x: Scale, left: number) => void;
  // charts
  /** `name` is the class of its list. */
  type MakeChart = (name: string, what: string) => Chart;
  type SetChart = (chart: Chart, items: ChartItem[], now?: Chart['now']) => void;
  type DrawCharts = (t: number, rest: number) => void;
  // cards
  /** `list` is the class of the chart's list. */
  type MakeCard = (title: string, about: Node, list: string) => Card;
  type OfCard = (card: Card) => void;
  /** `kind` is its colour: concurrent, serialized, limited, inconclusive, free, held. */
  type Judge = (
    card: Card,
    kind: string,
    badge: string,
    sentence: string,
    ...more: (string | Node)[]
  ) => void;
  type SetRunning = (card: Card | null) => void;
  // trial
  type StepOf = (probe: Probe) => string;
  type Begun = (probe: Probe) => number;
  type After = (t: number | null) => number | null;
  type BarsOf = (probe: Probe, color: number) => ChartItem[];
  // probe
  type OfButtons = (buttons: Button[]) => void;
  type FieldOf = (parameter: Parameter) => HTMLInputElement;
  type MakeProbeCard = (button: Button) => ProbeCard;
  type StartProbe = (card: ProbeCard) => Promise<void>;
  type Expect = (card: ProbeCard, id: number) => void;
  type OfProbe = (probe: Probe) => void;
  type ShowFindings = (card: ProbeCard, findings: Findings) => void;
  // stack
  type SetStack = (button: any, hold: Hold | null | undefined) => void;
  type ShowStack = (
    opener: HTMLElement,
    sentence: string,
    lines: string[],
    stack: string[],
  ) => void;
  // places, waits
  /** What a row stands for, and when somebody was last known to wait there. */
  type Row = Wait & { seen: number };
  /** Whether somebody is at that row: with the pointer, the keyboard, or its stack open. */
  type IsAt = (row: number) => boolean;
  /** The rows after `waits` came; `isAt` is null while nobody is at the list. */
  type Arrange = (rows: Row[], waits: Wait[], now: number, isAt: IsAt | null) => Row[];
  type Lasts = (lasting: Lasting) => string;
  type Fill = (parent: { children: HTMLCollection }, ...texts: string[]) => void;
  // rows, board
  type KeyOf = (item: Item) => string | number;
  type FillRow = (row: HTMLElement, item: Item) => void;
  /** Returns whether there are other rows than before. */
  type SyncRows = (narrow: boolean) => boolean;
  /** `since`: how long ago it was drawn. */
  type IsMoving = (since: number) => boolean;
  type DrawHold = (ctx: Ctx, left: number, right: number, group: Group) => void;
  type AtTime = (t: number) => void;
}
