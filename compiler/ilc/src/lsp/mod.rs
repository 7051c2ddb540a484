//! `ilc lsp`: a language server on standard input and output.
//!
//! One thread answers messages in their order, so every answer is about the text as it was last
//! sent. A text is indexed once a change ([`il::text::index`]); everything else is read from that.

mod answers;
mod completion;
mod document;

use std::collections::HashMap;
use std::path::Path;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentHighlightRequest, DocumentSymbolRequest, Formatting, GotoDefinition,
    HoverRequest, PrepareRenameRequest, References, Rename, Request as _,
};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionOptions, CompletionResponse, OneOf,
    PublishDiagnosticsParams, RenameOptions, RenameParams, ServerCapabilities, TextDocumentSyncCapability,
    TextDocumentSyncKind, Uri, WorkDoneProgressOptions,
};
use serde_json::{Value, json};

use crate::input::Failure;
use document::{Document, file_path};

/// Serves until the client says that it is done.
pub fn serve() -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::Plain(format!("language server: {error}"));
    let (connection, threads) = Connection::stdio();
    let (id, _) = connection.initialize_start().map_err(|error| fail(&error))?;
    let about = json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "ilc", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, about).map_err(|error| fail(&error))?;
    let mut server = Server { connection, documents: HashMap::new() };
    let ended = server.run();
    // The writing thread ends when nobody can send to it any more.
    drop(server);
    threads.join().map_err(|error| fail(&error))?;
    ended.map_err(|error| fail(&error))
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(true.into()),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec![".".into()]),
            ..CompletionOptions::default()
        }),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    }
}

struct Server {
    connection: Connection,
    /// Open texts, by their address.
    documents: HashMap<String, Document>,
}

/// Why the server ends early.
type Disconnected = Box<dyn std::error::Error + Send + Sync>;
type Answer = Result<Value, (ErrorCode, String)>;

impl Server {
    fn run(&mut self) -> Result<(), Disconnected> {
        while let Ok(message) = self.connection.receiver.recv() {
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    let id = request.id.clone();
                    let response = match self.answer(request) {
                        Ok(value) => Response::new_ok(id, value),
                        Err((code, message)) => Response::new_err(id, code as i32, message),
                    };
                    self.connection.sender.send(response.into())?;
                }
                Message::Notification(note) if note.method == "exit" => return Err("exit without shutdown".into()),
                Message::Notification(note) => self.note(note)?,
                // It asks nothing of the client.
                Message::Response(_) => {}
            }
        }
        Err("the client is gone".into())
    }

    fn answer(&self, request: Request) -> Answer {
        match request.method.as_str() {
            HoverRequest::METHOD => ask::<HoverRequest>(request.params, |params| {
                let at = &params.text_document_position_params;
                self.at(&at.text_document.uri, |document| document.hover(at.position))
            }),
            GotoDefinition::METHOD => ask::<GotoDefinition>(request.params, |params| {
                let at = &params.text_document_position_params;
                self.at(&at.text_document.uri, |document| document.definition(at.position))
            }),
            References::METHOD => ask::<References>(request.params, |params| {
                let at = &params.text_document_position;
                let own = params.context.include_declaration;
                self.at(&at.text_document.uri, |document| document.references(at.position, own))
            }),
            DocumentHighlightRequest::METHOD => ask::<DocumentHighlightRequest>(request.params, |params| {
                let at = &params.text_document_position_params;
                self.at(&at.text_document.uri, |document| document.highlights(at.position))
            }),
            DocumentSymbolRequest::METHOD => ask::<DocumentSymbolRequest>(request.params, |params| {
                self.at(&params.text_document.uri, |document| Some(document.symbols()))
            }),
            Completion::METHOD => ask::<Completion>(request.params, |params| {
                let at = &params.text_document_position;
                let offered = |document: &Document| CompletionResponse::Array(document.completions(at.position));
                self.at(&at.text_document.uri, |document| Some(offered(document)))
            }),
            PrepareRenameRequest::METHOD => ask::<PrepareRenameRequest>(request.params, |at| {
                self.at(&at.text_document.uri, |document| document.renamable(at.position))
            }),
            Rename::METHOD => self.rename(request.params),
            Formatting::METHOD => {
                ask::<Formatting>(request.params, |params| self.at(&params.text_document.uri, Document::formatting))
            }
            CodeActionRequest::METHOD => ask::<CodeActionRequest>(request.params, |params| {
                self.at(&params.text_document.uri, |document| Some(document.actions(params.range)))
            }),
            other => Err((ErrorCode::MethodNotFound, format!("`{other}` is not supported"))),
        }
    }

    /// Renaming may be refused, and then says why.
    fn rename(&self, params: Value) -> Answer {
        let params: RenameParams = parse(params)?;
        let at = params.text_document_position;
        let refuse = |why: String| (ErrorCode::RequestFailed, why);
        let Some(document) = self.documents.get(at.text_document.uri.as_str()) else {
            return Err(refuse("this text is not open".into()));
        };
        write(document.rename(at.position, &params.new_name).map_err(refuse)?)
    }

    /// Asks an open document; of others nothing is known.
    fn at<T>(&self, uri: &Uri, ask: impl FnOnce(&Document) -> Option<T>) -> Option<T> {
        self.documents.get(uri.as_str()).and_then(ask)
    }

    fn note(&mut self, note: Notification) -> Result<(), Disconnected> {
        match note.method.as_str() {
            DidOpenTextDocument::METHOD => {
                if let Some(params) = parameters::<DidOpenTextDocument>(note) {
                    let document = params.text_document;
                    self.update(document.uri, document.version, document.text)?;
                }
            }
            DidChangeTextDocument::METHOD => {
                if let Some(mut params) = parameters::<DidChangeTextDocument>(note)
                    && let Some(change) = params.content_changes.pop()
                {
                    self.update(params.text_document.uri, params.text_document.version, change.text)?;
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Some(params) = parameters::<DidCloseTextDocument>(note) {
                    let uri = params.text_document.uri;
                    self.documents.remove(uri.as_str());
                    let file = file_path(&uri);
                    self.publish(PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None })?;
                    // From now on the stored text counts.
                    file.map_or(Ok(()), |file| self.refresh(&file))?;
                }
            }
            // What is not understood may be ignored.
            _ => {}
        }
        Ok(())
    }

    fn update(&mut self, uri: Uri, version: i32, text: String) -> Result<(), Disconnected> {
        let document = Document::new(uri, version, text, |file| self.read(file));
        self.show(document.uri.clone(), document)
    }

    /// Keeps a document, and publishes its errors and those of all that import it.
    fn show(&mut self, uri: Uri, document: Document) -> Result<(), Disconnected> {
        let (diagnostics, version) = (document.diagnostics(), Some(document.version));
        self.documents.insert(uri.as_str().to_owned(), document);
        let file = file_path(&uri);
        self.publish(PublishDiagnosticsParams { uri, diagnostics, version })?;
        file.map_or(Ok(()), |file| self.refresh(&file))
    }

    /// Looks anew at the open texts that import the text in a file.
    fn refresh(&mut self, file: &Path) -> Result<(), Disconnected> {
        let importing = self.documents.values().filter(|document| document.imports(file) && !document.is_in(file));
        let stale: Vec<String> = importing.map(|document| document.uri.as_str().to_owned()).collect();
        for address in stale {
            let Some(Document { uri, version, text, .. }) = self.documents.remove(&address) else { continue };
            let document = Document::new(uri.clone(), version, text, |file| self.read(file));
            let (diagnostics, version) = (document.diagnostics(), Some(document.version));
            self.documents.insert(address, document);
            self.publish(PublishDiagnosticsParams { uri, diagnostics, version })?;
        }
        Ok(())
    }

    /// The text in a file: as the editor shows it, else as it is stored.
    fn read(&self, file: &Path) -> Option<String> {
        let open = self.documents.values().find(|document| document.is_in(file));
        open.map(|document| document.text.clone()).or_else(|| std::fs::read_to_string(file).ok())
    }

    fn publish(&self, params: PublishDiagnosticsParams) -> Result<(), Disconnected> {
        let note = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
        Ok(self.connection.sender.send(note.into())?)
    }
}

/// Reads a request's parameters, and writes its result.
fn ask<R: lsp_types::request::Request>(params: Value, answer: impl FnOnce(R::Params) -> R::Result) -> Answer {
    write(answer(parse(params)?))
}

fn parse<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn write(result: impl serde::Serialize) -> Answer {
    serde_json::to_value(result).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

/// Reads a notification's parameters; nobody can be told that they are wrong.
fn parameters<N: lsp_types::notification::Notification>(note: Notification) -> Option<N::Params> {
    serde_json::from_value(note.params).ok()
}
