// The shapes of Slack that this page draws: what the server sends, and nothing that it does not.

export interface Text { type: "plain_text" | "mrkdwn"; text: string; emoji?: boolean; verbatim?: boolean }
export interface Option { text: Text; value: string; description?: Text }
export interface OptionGroup { label: Text; options: Option[] }
export interface Confirm { title: Text; text: Text; confirm: Text; deny: Text; style?: string }

/** An interactive element. One loose shape, because Slack's thirty differ in a field or two each. */
export interface Element {
  type: string;
  action_id?: string;
  text?: Text;
  value?: string;
  url?: string;
  style?: "primary" | "danger";
  accessibility_label?: string;
  confirm?: Confirm;
  placeholder?: Text;
  options?: Option[];
  option_groups?: OptionGroup[];
  initial_option?: Option;
  initial_options?: Option[];
  initial_value?: string;
  initial_user?: string;
  initial_users?: string[];
  initial_conversation?: string;
  initial_conversations?: string[];
  initial_channel?: string;
  initial_channels?: string[];
  initial_date?: string;
  initial_time?: string;
  initial_date_time?: number;
  default_to_current_conversation?: boolean;
  filter?: { include?: string[]; exclude_bot_users?: boolean };
  min_query_length?: number;
  max_selected_items?: number;
  multiline?: boolean;
  min_length?: number;
  max_length?: number;
  min_value?: string;
  max_value?: string;
  is_decimal_allowed?: boolean;
  dispatch_action_config?: { trigger_actions_on?: string[] };
  focus_on_load?: boolean;
  image_url?: string;
  slack_file?: { id?: string; url?: string };
  alt_text?: string;
  icon?: string;
  visible_to_user_ids?: string[];
  positive_button?: { text: Text; value: string; accessibility_label?: string };
  negative_button?: { text: Text; value: string; accessibility_label?: string };
}

export interface ChartPoint { label: string; value: number }
export interface Chart {
  type: "bar" | "line" | "area" | "pie";
  series?: { name: string; data: ChartPoint[] }[];
  segments?: ChartPoint[];
  axis_config?: { categories: string[]; x_label?: string; y_label?: string };
}

export interface Block {
  type: string;
  block_id?: string;
  text?: Text | string;
  fields?: Text[];
  accessory?: Element;
  elements?: unknown[];
  element?: Element;
  label?: Text;
  hint?: Text;
  optional?: boolean;
  dispatch_action?: boolean;
  title?: Text | string;
  image_url?: string;
  slack_file?: { id?: string; url?: string };
  alt_text?: string;
  rows?: unknown[][];
  chart?: Chart;
}

export interface SlackFile {
  id: string;
  name?: string;
  title?: string;
  mimetype?: string;
  size?: number;
  page_url?: string;
  alt_txt?: string;
}

export interface Message {
  ts: string;
  user: string;
  text: string;
  bot_id?: string;
  thread_ts?: string;
  reply_count?: number;
  latest_reply?: string;
  blocks?: Block[];
  files?: SlackFile[];
  reactions?: { name: string; users: string[]; count: number }[];
  edited?: { user: string; ts: string };
  subtype?: string;
  is_ephemeral?: boolean;
  channel?: string;
  /** Of a streamed answer; while it is open, `text` is the markdown so far. */
  stream?: "open" | "stopped_by_user" | "done" | "expired" | "repaired";
  stream_blocks?: Block[];
}

export interface View {
  id: string;
  type: "modal" | "home";
  hash: string;
  title?: Text;
  submit?: Text | null;
  close?: Text | null;
  blocks: Block[];
  state?: { values?: Record<string, Record<string, Record<string, unknown>>> };
  errors?: Record<string, string> | null;
}

export interface Person {
  id: string;
  name: string;
  real_name: string;
  locale?: string;
  deleted?: boolean;
  is_bot?: boolean;
  is_admin?: boolean;
  is_restricted?: boolean;
  is_stranger?: boolean;
}

export interface Channel {
  id: string;
  name: string;
  kind: "channel" | "group" | "im" | "mpim";
  user?: string;
  members?: string[];
  is_member: boolean;
  is_archived?: boolean;
  is_ext_shared?: boolean;
  bot_is_member?: boolean;
  topic?: string;
  purpose?: string;
}

export interface Prompts { title?: string | null; prompts: { title: string; message: string }[] }
export interface Status { status: string; loading_messages?: string[]; until: number }
export interface Session { status?: string; title?: string }
export interface Shortcut { callback_id: string; name: string; description?: string }
export interface Command { command: string; description: string; usage_hint?: string }

export const textOf = (text: Text | string | undefined | null): string =>
  typeof text === "string" ? text : text?.text ?? "";
