<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
 <context>
  <name>ChatListModel</name>
  <message numerus="yes">
   <source>%n result(s)</source>
   <translation>
    <numerusform>%n result</numerusform>
    <numerusform>%n results</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n chat(s)</source>
   <translation>
    <numerusform>%n chat</numerusform>
    <numerusform>%n chats</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>CodeBlock</name>
  <message numerus="yes">
   <source>%n invisible character(s) removed</source>
   <translation>
    <numerusform>%n invisible character removed</numerusform>
    <numerusform>%n invisible characters removed</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>MainWindow</name>
  <message numerus="yes">
   <source>%n token(s) read</source>
   <translation>
    <numerusform>%n token read</numerusform>
    <numerusform>%n tokens read</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n chat(s) imported</source>
   <translation>
    <numerusform>%n chat imported</numerusform>
    <numerusform>%n chats imported</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>MessageWidget</name>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n token</numerusform>
    <numerusform>%n tokens</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n step(s)</source>
   <translation>
    <numerusform>%n step</numerusform>
    <numerusform>%n steps</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n token(s) rewritten</source>
   <translation>
    <numerusform>%n token rewritten</numerusform>
    <numerusform>%n tokens rewritten</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>RewritingView</name>
  <message numerus="yes">
   <source>Rewriting %n token(s)</source>
   <translation>
    <numerusform>Rewriting %n token</numerusform>
    <numerusform>Rewriting %n tokens</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>SelfTestView</name>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n token</numerusform>
    <numerusform>%n tokens</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>SettledView</name>
  <message numerus="yes">
   <source>%n change(s) of mind</source>
   <translation>
    <numerusform>%n change of mind</numerusform>
    <numerusform>%n changes of mind</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>StatusLine</name>
  <message numerus="yes">
   <source>%n block(s)</source>
   <translation>
    <numerusform>%n block</numerusform>
    <numerusform>%n blocks</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n step(s)</source>
   <translation>
    <numerusform>%n step</numerusform>
    <numerusform>%n steps</numerusform>
   </translation>
  </message>
  <message numerus="yes">
   <source>%n token(s)</source>
   <translation>
    <numerusform>%n token</numerusform>
    <numerusform>%n tokens</numerusform>
   </translation>
  </message>
 </context>
 <context>
  <name>StoragePage</name>
  <message numerus="yes">
   <source>%n block(s)</source>
   <translation>
    <numerusform>%n block</numerusform>
    <numerusform>%n blocks</numerusform>
   </translation>
  </message>
 </context>
</TS>
